import Cgroups
import JSON
import Kernel
import OCI
import Testing

@testable import Runtime

func someRecord(_ id: String = "web") throws -> Record {
    var spec = Spec()
    spec.annotations = [Annotation("z", "1"), Annotation("a/b", "é\n\"")]
    let cgroups = try CgroupSet.plan(path: "/mrun-test", controllers: nil, layout: try CgroupLayout.detect())
    var record = Record(
        id: id, bundle: "/bundle", rootfs: "/bundle/rootfs", bootID: "boot", cgroups: cgroups, spec: spec,
        stayingInit: true, ownPidNamespace: false, owner: 1000)
    record.created = Moment(nanoseconds: 1_700_000_000_123_456_789)
    return record
}

private func read(_ json: JSON) throws -> Record { try Record(Cursor(json)) }

/// The document without the member `name`, or with another value for it.
private func changed(_ document: JSON, _ name: String, to value: JSON?) -> JSON {
    guard case .object(let members) = document else { return document }
    return .object(members.filter { $0.name != name } + (value.map { [JSON.Member(name, $0)] } ?? []))
}

struct StateRecordTests {
    @Test func `a record of a container that is being made has no process`() throws {
        let record = try someRecord()
        #expect(record.phase == .creating)
        #expect(record.process == nil)
        #expect(try JSON.parse(Array(record.json.text().utf8)) == record.json)
        #expect(try read(JSON.parse(Array(record.json.text().utf8))) == record)
    }

    @Test(arguments: [0, 1, 987_654, UInt64(Int64.max)])
    func `a record with a process is read as it was written`(startTime: UInt64) throws {
        var record = try someRecord()
        record.phase = .created
        record.process = ProcessIdentity(pid: 4711, startTime: startTime)
        #expect(try read(JSON.parse(Array(record.json.text(indent: 2).utf8))) == record)
    }

    @Test(arguments: [
        "version", "id", "phase", "bootID", "bundle", "rootfs", "created", "owner", "stayingInit",
        "ownPidNamespace", "cgroups",
    ])
    func `a record without a member that it needs is damaged`(name: String) throws {
        let document = try someRecord().json
        let failure = #expect(throws: Failure.self) { try read(changed(document, name, to: nil)) }
        #expect(failure?.message == "\"\(name)\" is missing")
    }

    @Test(
        arguments: [
            ("version", 2, "version 2 of the record is unknown"), ("version", 0, "version 0"),
            ("id", 1, "/id: expected a string"), ("phase", "running", "/phase: \"running\" is unknown"),
            ("pid", .integer(1 << 31), "/pid: the number is out of range"),
            ("startTime", -1, "/startTime: the number is out of range"), ("owner", -1, "/owner: "),
            ("created", "now", "/created: expected a whole number"), ("stayingInit", 1, "/stayingInit: "),
            ("annotations", .array([]), "/annotations: expected an object"), ("cgroups", "x", "/cgroups"),
        ] as [(String, JSON, String)])
    func `a record with a wrong value is damaged, and tells where`(name: String, value: JSON, want: String)
        throws
    {
        let document = try someRecord().json
        let failure = #expect(throws: Failure.self) { try read(changed(document, name, to: value)) }
        #expect(failure?.message.hasPrefix(want) == true, "\(failure?.message ?? "")")
    }

    @Test(arguments: ["pid", "startTime"])
    func `a pid without its start time is no process, nor the other way round`(name: String) throws {
        var record = try someRecord()
        record.process = ProcessIdentity(pid: 4711, startTime: 5)
        #expect(try read(changed(record.json, name, to: nil)).process == nil)
    }

    @Test func `the boot id is the kernel's, on one line`() throws {
        let id = try Record.currentBootID()
        #expect(id.utf8.count == 36)
        #expect(try Record.currentBootID() == id)
    }
}

struct StateExitRecordTests {
    @Test(
        arguments: [
            ("", nil, nil, nil), ("started 5\n", 5, nil, nil), ("started 5\nfinished 9 256\n", 5, 9, 256),
            ("started 5", nil, nil, nil), ("started 5\nfinished 9 256", 5, nil, nil),
            ("started 5\nfinished 9 2", 5, nil, nil), ("started 5\nfinished 9\n", 5, nil, nil),
            ("started 5\nfinished 9 \n", 5, nil, nil), ("started 5\nfini", 5, nil, nil),
            ("started 5\nfinished x 0\n", 5, nil, nil), ("started 5\nfinished 9 x\n", 5, nil, nil),
            ("started 5\nfinished 9 0 0\n", 5, nil, nil), ("finished 9 0\n", nil, 9, 0),
            ("started\n", nil, nil, nil), ("\n\n", nil, nil, nil), ("begun 5\nstarted 6\n", 6, nil, nil),
            ("started 99999999999999999999\n", nil, nil, nil), ("\u{fffd}\nstarted 5\n", 5, nil, nil),
            ("started 5\nfinished 9 137\n\n", 5, 9, 137), ("started 5\nstarted 6\n", 5, nil, nil),
            ("finished 8 1\nfinished 9 0\n", nil, 8, 1),
        ] as [(String, Int64?, Int64?, Int32?)])
    func `only whole lines count, and only those that are known`(
        text: String, started: Int64?, finished: Int64?, status: Int32?
    ) {
        let record = ExitRecord(text)
        #expect(record.started?.nanoseconds == started)
        #expect(record.finished?.nanoseconds == finished)
        #expect(record.status?.raw == status)
    }

    @Test func `every torn ending of a record tells no more than its whole lines`() {
        let whole = "started 1700000000000000000\nfinished 1700000001000000000 15\n"
        for end in 0..<whole.utf8.count {
            let record = ExitRecord(String(decoding: whole.utf8.prefix(end), as: UTF8.self))
            #expect(record.status == nil && record.finished == nil)
            #expect((record.started != nil) == (end >= 28))
        }
        #expect(ExitRecord(whole).status?.signal == 15)
    }

    @Test(
        arguments: [
            (0, #""waitStatus":0,"exitCode":0,"#), (7 << 8, #""waitStatus":1792,"exitCode":7,"#),
            (9, #""waitStatus":9,"signal":9,"#),
        ] as [(Int32, String)])
    func `an ending tells the exit code or the signal, and when`(raw: Int32, want: String) {
        let ending = Ending(
            id: "web", source: .record, status: WaitStatus(raw: raw), oomKilled: true,
            started: Moment(nanoseconds: 0), finished: Moment(nanoseconds: 1_500_000_000))
        let rest =
            #""oomKilled":true,"startedAt":"1970-01-01T00:00:00Z","#
            + #""finishedAt":"1970-01-01T00:00:01.5Z","source":"record"}"#
        #expect(ending.json.text() == #"{"id":"web","# + want + rest)
    }

    @Test func `an ending that nobody saw is unknown`() {
        let ending = Ending(
            id: "web", source: .unknown, status: nil, oomKilled: nil, started: nil, finished: nil)
        #expect(ending.json.text() == #"{"id":"web","waitStatus":"unknown","source":"unknown"}"#)
    }
}
