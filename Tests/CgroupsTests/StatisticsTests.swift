import Glibc
import JSON
import Kernel
import Testing

@testable import Cgroups

struct `Statistics` {
    @Test func `of v1 have the names and units that clients of runc know`() throws {
        let reader = ControlReader(texts: [
            "cpuacct.usage": "123456789\n", "cpuacct.stat": "user 7\nsystem 5\n",
            "cpuacct.usage_percpu": "100000000 23456789 \n",
            "cpuacct.usage_all": "cpu user system\n0 60 40\n1 13 10\n",
            "cpu.stat": "nr_periods 10\nnr_throttled 2\nthrottled_time 3000\nnr_bursts 0\n",
            "memory.stat": "cache 4096\nrss 8192\n", "memory.usage_in_bytes": "12288\n",
            "memory.max_usage_in_bytes": "20480\n", "memory.limit_in_bytes": "1048576\n",
            "memory.failcnt": "3\n",
            "memory.memsw.usage_in_bytes": "12288\n", "memory.memsw.limit_in_bytes": "9223372036854771712\n",
            "memory.memsw.failcnt": "0\n", "pids.current": "4\n", "pids.max": "max\n",
            "blkio.throttle.io_service_bytes_recursive": "254:0 Read 4096\n254:0 Write 0\nTotal 4096\n",
        ])
        let want = #"""
            {"cpu":{"usage":{"total":123456789,"percpu":[100000000,23456789],"percpu_kernel":[40,10],\#
            "percpu_user":[60,13],"kernel":50000000,"user":70000000},\#
            "throttling":{"periods":10,"throttledPeriods":2,"throttledTime":3000}},\#
            "memory":{"cache":4096,"usage":{"limit":1048576,"usage":12288,"max":20480,"failcnt":3},\#
            "swap":{"limit":9223372036854771712,"usage":12288,"failcnt":0},"raw":{"cache":4096,"rss":8192}},\#
            "pids":{"current":4},\#
            "blkio":{"ioServiceBytesRecursive":[{"major":254,"op":"Read","value":4096},{"major":254,"op":"Write"}]}}
            """#
        #expect(try V1Statistics.json(reader).text() == want)
    }

    @Test func `of v2 have the same names and units`() throws {
        let reader = ControlReader(texts: [
            "cpu.stat":
                "usage_usec 12\nuser_usec 7\nsystem_usec 5\nnr_periods 1\nnr_throttled 1\nthrottled_usec 9\n",
            "cpu.pressure": "some avg10=0.50 avg60=0.00 avg300=0.00 total=7\n",
            "memory.stat": "anon 4096\nfile 8192\n", "memory.current": "12288\n", "memory.max": "1048576\n",
            "memory.peak": "16384\n", "memory.swap.current": "100\n", "memory.swap.max": "max\n",
            "pids.current": "4\n", "pids.max": "50\n",
            "io.stat": "254:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n",
        ])
        let want = #"""
            {"cpu":{"usage":{"total":12000,"kernel":5000,"user":7000},\#
            "throttling":{"periods":1,"throttledPeriods":1,"throttledTime":9000},\#
            "psi":{"some":{"avg10":0.5,"avg60":0.0,"avg300":0.0,"total":7}}},\#
            "memory":{"cache":8192,"usage":{"limit":1048576,"usage":12288,"max":16384,"failcnt":0},\#
            "swap":{"limit":18446744073709551615,"usage":12388,"failcnt":0},"raw":{"anon":4096,"file":8192}},\#
            "pids":{"current":4,"limit":50},"blkio":{"ioServiceBytesRecursive":[\#
            {"major":254,"minor":16,"op":"Read","value":4096},{"major":254,"minor":16,"op":"Write","value":8192},\#
            {"major":254,"minor":16,"op":"Discard"}],"ioServicedRecursive":[\#
            {"major":254,"minor":16,"op":"Read","value":1},{"major":254,"minor":16,"op":"Write","value":2},\#
            {"major":254,"minor":16,"op":"Discard"}]}}
            """#
        #expect(try V2Statistics.json(reader).text() == want)
    }

    @Test func `without cgroups are empty`() throws {
        #expect(try V1Statistics.json(ControlReader(texts: [:])).text() == "{}")
        #expect(try V2Statistics.json(ControlReader(texts: [:])).text() == "{}")
        #expect(try CgroupManager(CgroupSet(version: .v1, directories: [])).statistics().text() == "{}")
    }

    @Test func `from procfs add up the living processes`() throws {
        func line(_ state: String, _ user: Int, _ system: Int, _ threads: Int, _ pages: Int) -> ProcessStat? {
            ProcessStat(
                "1 (a b) \(state) 1 1 1 0 -1 0 0 0 0 0 \(user) \(system) 0 0 20 0 \(threads) 0 100 4096 \(pages) 0"
            )
        }
        let stats = [line("S", 3, 2, 1, 10), line("R", 1, 1, 4, 5), line("Z", 9, 9, 1, 0)].compactMap(\.self)
        try #require(stats.count == 3)
        let sum = PosixStatistics(stats)
        #expect(sum.processes == 2)
        #expect(
            sum.json(nanosecondsPerTick: 10, bytesPerPage: 4096).text()
                == #"{"cpu":{"usage":{"total":70,"kernel":30,"user":40},"throttling":{}},"#
                + #""memory":{"usage":{"limit":18446744073709551615,"usage":61440,"failcnt":0},"#
                + #""raw":{"rss":61440}},"pids":{"current":5}}"#)
    }

    @Test func `from procfs see this very process`() throws {
        let own = try PosixStatistics(pids: [getpid(), 0x7fff_fff0])
        #expect(own.processes == 1)
        #expect(own.residentPages > 0)
    }
}
