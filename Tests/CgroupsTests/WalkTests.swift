import CKernel
import Glibc
import Kernel
import OCI
import Testing

@testable import Cgroups

/// A cgroup in which a container has made others, as only it would.
private final class Nest {
    let kind: Kind
    let scratch: Scratch
    /// The directory that tells the processes.
    let top: String

    init(_ kind: Kind, _ name: String) throws {
        self.kind = kind
        scratch = try kind.scratch(name, owner: name)
        try scratch.manager.create(resources: ResourceSpec())
        top = scratch.set.directories[0].path
    }

    /// Makes cgroups, one in the other; the descriptor of the innermost.
    func nested(_ names: [[UInt8]]) throws -> FileDescriptor {
        var here = try FileDescriptor.open(top, flags: O_RDONLY | O_DIRECTORY)
        for name in names {
            let raw = name.map { CChar(bitPattern: $0) } + [0]
            try checked("mkdir", sys_mkdirat(here.raw, raw, 0o755))
            let opened = try checked("open", sys_openat(here.raw, raw, O_RDONLY | O_DIRECTORY, 0))
            here = FileDescriptor(adopting: Int32(opened))
        }
        return here
    }

    /// A sleeping process in one of them.
    func sleeper(in inner: borrowing FileDescriptor) throws -> pid_t {
        let child = try scratch.sleeper()
        try scratch.manager.attach(pid: child)
        try Files.write(String(child), to: "cgroup.procs", at: inner.raw)
        return child
    }

    func freeze(_ inner: borrowing FileDescriptor) throws {
        let file = kind == .unified ? "cgroup.freeze" : "freezer.state"
        try Files.write(kind == .unified ? "1" : "FROZEN", to: file, at: inner.raw)
    }

    var isGone: Bool { get throws { try FileStatus.of(top) == nil } }

    /// What `delete --force` does.
    func end() throws {
        try scratch.manager.killAll(Deadline(milliseconds: 3000))
        try scratch.manager.remove(milliseconds: 3000)
    }
}

private let strange: [[UInt8]] = [
    [0xff, 0xfe], Array("a\nb".utf8), Array("\u{301}".utf8), [0xc3], Array("-r \t\"*".utf8),
    Array("...".utf8),
]

@Suite(.enabled(if: Host.allowsCgroups), .serialized)
struct `Cgroups that a container makes in its own` {
    @Test(arguments: Kind.here)
    func `hide no process behind their names, and are removed`(kind: Kind) throws {
        let nest = try Nest(kind, "names")
        var children: [pid_t] = []
        for name in strange {
            do { children.append(try nest.sleeper(in: try nest.nested([name]))) } catch let error as Failure {
                // The kernel has refused newlines since Linux 3.19.
                #expect(error.errno == EINVAL && name.contains(UInt8(ascii: "\n")))
            }
        }
        #expect(children.count >= strange.count - 1)
        #expect(try nest.scratch.manager.processes() == children.sorted())
        try nest.end()
        for child in children { #expect(nest.scratch.wait(for: child) == SIGKILL) }
        #expect(try nest.isGone)
    }

    @Test(arguments: Kind.here)
    func `may be nested beyond the longest path`(kind: Kind) throws {
        let nest = try Nest(kind, "path")
        let name = [UInt8](repeating: UInt8(ascii: "n"), count: 250)
        let child = try nest.sleeper(in: try nest.nested([[UInt8]](repeating: name, count: 20)))
        #expect(try nest.scratch.manager.processes() == [child])
        try nest.end()
        #expect(nest.scratch.wait(for: child) == SIGKILL)
        #expect(try nest.isGone)
    }

    @Test(arguments: Kind.here)
    func `may be nested deeper than there are descriptors`(kind: Kind) throws {
        let nest = try Nest(kind, "levels")
        let child = try nest.sleeper(in: try nest.nested([[UInt8]](repeating: [0x6c], count: 1100)))
        var limit = rlimit()
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        let old = limit
        limit.rlim_cur = 256
        #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        defer {
            var old = old
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &old)
        }
        #expect(try nest.scratch.manager.processes() == [child])
        try nest.end()
        #expect(nest.scratch.wait(for: child) == SIGKILL)
        #expect(try nest.isGone)
    }

    @Test(arguments: Kind.here)
    func `may be frozen from inside`(kind: Kind) throws {
        let nest = try Nest(kind, "ice")
        let inner = try nest.nested([[0xff], [0xfe]])
        let child = try nest.sleeper(in: inner)
        try nest.freeze(inner)
        try nest.end()
        #expect(nest.scratch.wait(for: child) == SIGKILL)
        #expect(try nest.isGone)
    }

    @Test(arguments: Kind.here)
    func `are removed with the processes that turn up in them`(kind: Kind) throws {
        let nest = try Nest(kind, "again")
        let inner = try nest.nested([[0xff], [0xfe]])
        let child = try nest.sleeper(in: inner)
        try nest.freeze(inner)
        try nest.scratch.manager.remove(milliseconds: 3000)
        #expect(nest.scratch.wait(for: child) == SIGKILL)
        #expect(try nest.isGone)
    }

    @Test(arguments: Kind.here)
    func `are removed while a process makes more of them`(kind: Kind) throws {
        let nest = try Nest(kind, "maker")
        let child = try nest.scratch.run(
            """
            cd \(nest.top) && until grep -q mrun-cgtest /proc/self/cgroup; do sleep 0.01; done
            for i in $(seq 5000); do mkdir $i && echo $$ > $i/cgroup.procs && cd $i; done; sleep 10
            """)
        try nest.scratch.manager.attach(pid: child)
        #expect(try eventually { try FileStatus.of(nest.top + "/1/2/3/4/5") != nil })
        try nest.end()
        #expect(nest.scratch.wait(for: child) == SIGKILL)
        #expect(try nest.isGone)
    }

    @Test(arguments: Kind.here)
    func `may be so many that some remain at the deadline, which is told, and fewer each time`(kind: Kind)
        throws
    {
        let nest = try Nest(kind, "many")
        for index in 0..<1000 { _ = try nest.nested([Array(String(index).utf8)]) }
        var refusals: [Failure] = []
        while refusals.count < 200, try !nest.isGone {
            let before = Moment.monotonic()
            do { try nest.scratch.manager.remove(milliseconds: 20) } catch { refusals.append(error) }
            #expect(Moment.monotonic() - before < 1_000_000_000)
        }
        #expect(try nest.isGone)
        #expect(refusals.allSatisfy { $0.errno == EBUSY })
        #expect(refusals.isEmpty || refusals.contains { $0.message.contains("rmdir after ") })
    }

    @Test(.enabled(if: Host.hasUnified), arguments: Kind.here.filter { $0 != .legacy })
    func `may be threaded`(kind: Kind) throws {
        let nest = try Nest(kind, "threads")
        let unified = try #require(nest.scratch.set.directory(for: "unified")).path
        #expect(mkdir(unified + "/a", 0o755) == 0 && mkdir(unified + "/a/b", 0o755) == 0)
        let child = try nest.scratch.sleeper()
        try nest.scratch.manager.attach(pid: child)
        try Files.write(String(child), to: unified + "/a/cgroup.procs")
        try Files.write("threaded", to: unified + "/a/b/cgroup.type")
        try Files.write(String(child), to: unified + "/a/b/cgroup.threads")
        #expect(try nest.scratch.manager.processes() == [child])
        try nest.end()
        #expect(nest.scratch.wait(for: child) == SIGKILL)
        #expect(try FileStatus.of(unified) == nil)
    }
}
