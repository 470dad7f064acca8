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
            "blkio":{"ioServiceBytesRecursive":[{"major":254,"op":"Read","value":4096},{"major":254,"op":"Write"}]},\#
            "hugetlb":{},"intel_rdt":{},"network_interfaces":null}
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
            {"major":254,"minor":16,"op":"Discard"}]},\#
            "hugetlb":{},"intel_rdt":{},"network_interfaces":null}
            """#
        #expect(try V2Statistics.json(reader).text() == want)
    }

    @Test func `of processors, huge pages and disks are told where the kernel counts them`() throws {
        let v1 = ControlReader(texts: [
            "cpuset.cpus": "0-2,5\n", "cpuset.mems": "0\n", "cpuset.cpu_exclusive": "1\n",
            "cpuset.sched_relax_domain_level": "-1\n",
            "hugetlb.2MB.usage_in_bytes": "4096\n", "hugetlb.2MB.max_usage_in_bytes": "8192\n",
            "hugetlb.2MB.failcnt": "3\n", "hugetlb.1GB.rsvd.usage_in_bytes": "1\n",
            "hugetlb.1GB.usage_in_bytes": "7\n",
            "blkio.throttle.io_serviced_recursive": "8:0 Read 1\n",
            "blkio.bfq.io_serviced_recursive": "8:0 Read 2\nTotal 2\n", "blkio.bfq.time_recursive": "8:0 9\n",
        ])
        let want = #"""
            {"cpuset":{"cpus":[0,1,2,5],"cpu_exclusive":1,"mems":[0],"mem_hardwall":0,"mem_exclusive":0,\#
            "memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,\#
            "sched_load_balance":0,"sched_relax_domain_level":-1},\#
            "blkio":{"ioServicedRecursive":[{"major":8,"op":"Read","value":2}],\#
            "ioTimeRecursive":[{"major":8,"value":9}]},\#
            "hugetlb":{"1GB":{"usage":1,"failcnt":0},"2MB":{"usage":4096,"max":8192,"failcnt":3}},\#
            "intel_rdt":{},"network_interfaces":null}
            """#
        #expect(try V1Statistics.json(v1).text() == want)
        let v2 = ControlReader(texts: [
            "cpuset.cpus.effective": "3\n", "cpuset.mems.effective": "0-1\n",
            "hugetlb.2MB.current": "4096\n", "hugetlb.2MB.events": "max 5\n",
        ])
        let unified = try V2Statistics.json(v2)
        #expect(unified["hugetlb"]?.text() == #"{"2MB":{"usage":4096,"failcnt":5}}"#)
        #expect(unified["cpuset"]?.text().hasPrefix(#"{"cpus":[3],"cpu_exclusive":0,"mems":[0,1],"#) == true)
    }

    @Test(arguments: [
        ("hugepages-2048kB", "2MB"), ("hugepages-1048576kB", "1GB"), ("hugepages-64kB", "64KB"),
    ])
    func `of huge pages go by the names of control files`(folder: String, name: String) {
        #expect(HugepageSize.name(folder) == name)
        #expect(HugepageSize.name(name) == nil)
    }

    @Test func `without cgroups are empty`() throws {
        let nothing = #"{"hugetlb":{},"intel_rdt":{},"network_interfaces":null}"#
        #expect(try V1Statistics.json(ControlReader(texts: [:])).text() == nothing)
        #expect(try V2Statistics.json(ControlReader(texts: [:])).text() == nothing)
        #expect(try CgroupManager(CgroupSet(version: .v1, directories: [])).statistics().text() == nothing)
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
