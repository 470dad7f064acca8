import JSON
import Kernel
import OCI
import Testing

@testable import Cgroups

struct `Scopes of systemd` {
    @Test func `a path names slice, prefix and name`() throws {
        func scope(_ path: String?, isUser: Bool = false) throws(Failure) -> [String] {
            let scope = try SystemdScope(path: path, id: "web", isUser: isUser)
            return [scope.slice, scope.unit]
        }
        #expect(try scope("machine.slice:box:abc") == ["machine.slice", "box-abc.scope"])
        #expect(try scope(nil) == ["system.slice", "mrun-web.scope"])
        #expect(try scope(nil, isUser: true) == ["user.slice", "mrun-web.scope"])
        #expect(try scope("::abc") == ["system.slice", "abc.scope"])
        #expect(try scope(":box:") == ["system.slice", "box-web.scope"])
        #expect(try scope("-.slice:a:b") == ["-.slice", "a-b.scope"])
    }

    @Test(arguments: [
        "/a/b", "a", "a:b", "a.slice:b:c:d", "a:b:c", "a.slice/b.slice:c:d", "a--b.slice:c:d", "-a.slice:c:d",
        "a-.slice:c:d", ".slice:c:d", "a@b.slice:c:d", "a.slice:c:../d", "a.slice:c:d e", "a.slice:c:d+",
        "a.slice:c:\u{e9}",
        "a.slice:@c:d", "a.slice:c:d\n", "a.slice:c:\(String(repeating: "d", count: 250))",
    ])
    func `what systemd takes for no name is refused`(_ path: String) {
        #expect(throws: Failure.self) { try SystemdScope(path: path, id: "web", isUser: false) }
    }

    @Test func `a dash in a slice's name stands for a slice in a slice`() throws {
        #expect(try UnitName.path(ofSlice: "system.slice") == "/system.slice")
        #expect(try UnitName.path(ofSlice: "a-b-c.slice") == "/a.slice/a-b.slice/a-b-c.slice")
        #expect(try UnitName.path(ofSlice: "-.slice") == "")
        #expect(try UnitName.path(ofSlice: "a\\x2db.slice") == "/a\\x2db.slice")
    }

    @Test func `the record keeps the scope, and an older one has none`() throws {
        var set = CgroupSet(
            version: .v2, directories: [CgroupSet.Directory(hierarchy: "unified", path: "/sys/fs/cgroup/a")],
            owner: "/run/mrun/web")
        func read(_ json: JSON) throws(Failure) -> CgroupSet {
            try CgroupSet(Cursor(try JSON.parse(Array(json.text().utf8))))
        }
        #expect(try read(set.json).scope == nil)
        set.scope = SystemdScope(unit: "a-b.scope", slice: "a.slice", isUser: true)
        #expect(try read(set.json) == set)
        set.scope = SystemdScope(unit: "sshd.service", slice: "a.slice", isUser: false)
        #expect(throws: Failure.self) { try read(set.json) }
    }

    @Test func `an address of a bus is read, escapes and all`() throws {
        #expect(
            try BusSocket.paths(
                in: "unix:path=/run/user/7/bus,guid=1;tcp:host=x;unix:guid=2,path=/a%2cb;unix:abstract=/x"
            )
            .map(\.path) == ["/run/user/7/bus", "/a,b"])
        for wrong in ["unix:path=/a%", "unix:path=/a%2", "unix:path=/a%zz", "unix:path=/a%00"] {
            #expect(throws: Failure.self) { try BusSocket.paths(in: wrong) }
        }
    }

    @Test func `a user is known outside by the map of the namespace`() {
        #expect(
            UserMap.outer(0, in: "         0       1000          1\n         1     100000      65536\n")
                == 1000)
        #expect(
            UserMap.outer(5, in: "         0       1000          1\n         1     100000      65536\n")
                == 100004)
        #expect(UserMap.outer(70000, in: "0 1000 1\n1 100000 65536\n") == nil)
        #expect(UserMap.outer(UInt64.max, in: "1 \(UInt64.max) \(UInt64.max)\n") == nil)
        #expect(UserMap.isHosts("         0          0 4294967295\n"))
        #expect(!UserMap.isHosts("         0       1000          1\n"))
        #expect(!UserMap.isHosts(""))
    }
}

struct `Limits as properties of a unit` {
    private func resources(_ text: String) throws -> ResourceSpec {
        try ResourceSpec(Cursor(try JSON.parse(Array(text.utf8))))
    }

    private func byte(_ value: BusValue) -> UInt8 {
        guard case .byte(let byte) = value else { return 0 }
        return byte
    }

    private func limits(_ text: String, _ version: CgroupLayout.Version = .v2) throws -> [String] {
        try UnitProperties.limits(try resources(text), version: version).map { property in
            switch property.value {
            case .uint64(let number): "\(property.name)=\(number == UInt64.max ? "infinity" : String(number))"
            case .string(let text): "\(property.name)=\(text)"
            case .array("y", let bytes): "\(property.name)=\(bytes.map(byte))"
            default: "\(property.name)=?"
            }
        }
    }

    @Test func `cgroup2's`() throws {
        #expect(
            try limits(
                #"{"memory": {"limit": 1000, "swap": 1500, "reservation": 500}, "pids": {"limit": 9}}"#) == [
                    "MemoryMax=1000", "MemoryLow=500", "MemorySwapMax=500", "TasksMax=9",
                ])
        #expect(
            try limits(#"{"memory": {"limit": -1, "swap": -1}, "pids": {"limit": -1}}"#) == [
                "MemoryMax=infinity", "MemorySwapMax=infinity", "TasksMax=infinity",
            ])
        #expect(
            try limits(#"{"cpu": {"shares": 1024, "cpus": "0-1,10", "mems": "0"}}"#) == [
                "CPUWeight=100", "AllowedCPUs=[3, 4]", "AllowedMemoryNodes=[1]",
            ])
        #expect(try limits("{}") == [])
        #expect(try limits(#"{"blockIO": {"weight": 500}}"#) == ["IOWeight=4950"])
        #expect(try limits(#"{"blockIO": {"weight": 500}}"#, .v1) == ["BlockIOWeight=500"])
        #expect(try limits(#"{"pids": {"limit": 0}}"#) == ["TasksMax=1"])
    }

    @Test func `v1's`() throws {
        #expect(
            try limits(
                #"{"memory": {"limit": 1000, "swap": 1500}, "cpu": {"shares": 512}, "pids": {"limit": 9}}"#,
                .v1) == [
                    "MemoryLimit=1000", "CPUShares=512", "TasksMax=9",
                ])
    }

    @Test(arguments: [
        (#"{"quota": 50000, "period": 100000}"#, ["CPUQuotaPerSecUSec=500000"]),
        (#"{"quota": 50000}"#, ["CPUQuotaPerSecUSec=500000"]),
        (#"{"quota": -1}"#, ["CPUQuotaPerSecUSec=infinity"]),
        (#"{"quota": 0, "period": 5}"#, []),
        (#"{"quota": 10000, "period": 30000}"#, ["CPUQuotaPeriodUSec=30000", "CPUQuotaPerSecUSec=340000"]),
        (#"{"quota": 1, "period": 1000000}"#, ["CPUQuotaPeriodUSec=1000000", "CPUQuotaPerSecUSec=10000"]),
        (
            #"{"quota": 9223372036854775807, "period": 1}"#,
            ["CPUQuotaPeriodUSec=1", "CPUQuotaPerSecUSec=infinity"]
        ),
        (
            #"{"quota": 1000, "period": 18446744073709551615}"#,
            ["CPUQuotaPeriodUSec=infinity", "CPUQuotaPerSecUSec=10000"]
        ),
    ])
    func `a quota is CPU time in a second, in whole percents`(_ cpu: String, _ wanted: [String]) throws {
        #expect(try limits("{\"cpu\": \(cpu)}") == wanted)
    }

    @Test func `raw values have properties too, where systemd has them`() throws {
        #expect(
            try limits(
                #"{"unified": {"memory.high": "5", "memory.max": "max", "memory.low": "1K", "cpu.weight": "7", "io.weight": "default 8", "pids.max": "3", "cpuset.cpus": "1", "cpu.max": "5000 10000", "cpu.max.burst": "5"}}"#
            ) == [
                "MemoryHigh=5", "MemoryMax=infinity", "CPUWeight=7", "IOWeight=8", "TasksMax=3",
                "AllowedCPUs=[2]",
                "CPUQuotaPeriodUSec=10000", "CPUQuotaPerSecUSec=500000",
            ])
    }

    @Test(arguments: ["x", "3-1", "-1", "1-", "99999999", "0-99999999999999999999", "1-2-3"])
    func `a list that is none is refused`(_ list: String) {
        #expect(throws: Failure.self) { try limits("{\"cpu\": {\"cpus\": \"\(list)\"}}") }
    }

    private func devices(_ text: String) throws -> (policy: String, list: [String]) {
        let properties = UnitProperties.devices(try resources("{\"devices\": \(text)}").devices)
        var policy = ""
        var list: [String] = []
        for property in properties {
            if case .string(let text) = property.value { policy = text }
            guard case .array("(ss)", let values) = property.value else { continue }
            for case .structure(let pair) in values {
                list.append(
                    pair.map { if case .string(let text) = $0 { text } else { "?" } }.joined(separator: " "))
            }
        }
        return (policy, list)
    }

    @Test func `device rules are a list of what is allowed`() throws {
        let found = try devices(
            #"[{"allow": false}, {"allow": true, "type": "b", "major": 8, "minor": 0, "access": "r"}, {"allow": true, "type": "c", "major": 4, "access": "rw"}]"#
        )
        #expect(found.policy == "strict")
        #expect(found.list.prefix(4) == ["/dev/block/8:0 r", "char-4 rw", "char-* m", "block-* m"])
        #expect(found.list.contains("/dev/char/1:3 rwm"))
        #expect(found.list.contains("char-136 rwm"))
        #expect(try devices(#"[{"allow": true}]"#).policy == "auto")
        #expect(try devices(#"[{"allow": true}]"#).list == [])
        #expect(UnitProperties.devices([]) == [])
    }
}
