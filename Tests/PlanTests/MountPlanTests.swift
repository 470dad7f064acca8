import Kernel
import OCI
import Testing

@testable import Plan

/// The one file system that is planned for an entry.
func filesystem(_ mount: MountSpec, in spec: Spec = Spec()) throws -> FilesystemMount {
    guard case .mount(let mount)? = try mounts(mount, in: spec).first else {
        throw Failure.refused("no file system")
    }
    return mount
}

private func bound(_ options: [String], _ change: (inout Spec) -> Void = { _ in }) throws -> BindMount {
    var spec = Spec()
    spec.mounts = [MountSpec("/t", source: "/s", options: ["rbind"] + options)]
    change(&spec)
    guard case .bind(let mount)? = try mounts(spec).first else { throw Failure.refused("no bind") }
    return mount
}

private func mounts(_ mount: MountSpec, in spec: Spec) throws -> [Operation] {
    var spec = spec
    spec.mounts = [mount]
    return try mounts(spec)
}

private func mounts(_ spec: Spec) throws -> [Operation] {
    try Planner.plan(for: spec, rootfs: "/rootfs", bundle: "/bundle").mounts
}

private let ranges = [IDMapping(containerID: 0, hostID: 1, size: 2)]

struct FilesystemPlanTests {
    @Test(arguments: ["data", "./data", "a/../data", "../data"])
    func `a relative destination lies below the root`(path: String) throws {
        #expect(try filesystem(MountSpec(path, type: "tmpfs")).target == "/data")
    }

    @Test(
        arguments: [
            ("tmpfs", "/t", ["ro"], true), ("tmpfs", "/t", ["rro"], true), ("tmpfs", "/t", [], false),
            ("tmpfs", "/t", ["ro", "rw"], false), ("devtmpfs", "/dev", ["ro"], true),
            ("sysfs", "/sys", ["ro"], false),
        ] as [(String, String, [String], Bool)])
    func `what mrun itself still makes something in becomes read-only at the end`(
        type: String, target: String, options: [String], later: Bool
    ) throws {
        var spec = Spec()
        spec.mounts = [MountSpec(target, type: type, options: options)]
        let plan = try Planner.plan(for: spec, rootfs: "/rootfs", bundle: "/bundle")
        guard case .mount(let mount)? = plan.mounts.first else { throw Failure.refused("no mount") }
        #expect(mount.readOnlyLater == later)
        #expect(plan.ordered.contains(.readOnlyMounts) == later)
        if later { #expect(mount.attributes.set & MountAttributes.readOnly == 0) }
    }

    @Test func `flags come before parameters, and a device is read-only as a whole`() throws {
        let mount = try filesystem(
            MountSpec("/t", type: "ext4", source: "/dev/x", options: ["data=ordered", "sync", "ro"]))
        #expect(mount.parameters == ["ro", "sync", "data=ordered"])
        #expect(mount.attributes.set == MountAttributes.readOnly)
    }

    @Test func `tmpcopyup is for a tmpfs`() throws {
        #expect(try filesystem(MountSpec("/t", type: "tmpfs", options: ["tmpcopyup"])).copyUp)
        #expect(
            refusal(mounting: MountSpec("/t", type: "ramfs", options: ["tmpcopyup"]))
                == "/mounts/0/options: \"tmpcopyup\" is for a tmpfs, not for \"ramfs\"")
        #expect(
            refusal(mounting: MountSpec("/t", source: "/s", options: ["bind", "tmpcopyup"]))
                == "/mounts/0/options: \"tmpcopyup\" is for a tmpfs, not for a bind mount")
    }

    @Test func `the label of the mounts goes to file systems that have files of their own`() throws {
        var spec = Spec()
        spec.linux.mountLabel = "u:r:t:s0:c1,c2"
        #expect(
            try filesystem(MountSpec("/t", type: "tmpfs", options: ["size=1"]), in: spec).parameters
                == ["size=1", "context=u:r:t:s0:c1,c2"])
        #expect(
            try filesystem(MountSpec("/t", type: "tmpfs", options: ["context=x"]), in: spec).parameters
                == ["context=x"])
        for type in ["proc", "sysfs"] {
            #expect(try filesystem(MountSpec("/\(type)", type: type), in: spec).parameters == [])
        }
        spec.linux.mountLabel = ""
        #expect(try filesystem(MountSpec("/t", type: "tmpfs"), in: spec).parameters == [])
    }

    @Test func `the host's view stands in only for what the container shares`() throws {
        var spec = Spec()
        for (type, path, kind) in [
            ("sysfs", "/sys", NamespaceKind.network), ("proc", "/proc", .pid),
            ("mqueue", "/dev/mqueue", .ipc),
        ] {
            spec.linux.namespaces = []
            #expect(try filesystem(MountSpec(path, type: type), in: spec).hostView == path)
            spec.linux.namespaces = [NamespaceSpec(kind)]
            #expect(try filesystem(MountSpec(path, type: type), in: spec).hostView == nil)
        }
        #expect(try filesystem(MountSpec("/t", type: "tmpfs")).hostView == nil)
    }

    @Test(arguments: ["src-nofollow", "dest-nofollow", "copy-symlink"])
    func `only bind mounts are asked about links`(word: String) throws {
        #expect(
            refusal(mounting: MountSpec("/t", type: "tmpfs", options: [word]))
                == "/mounts/0/options: how to treat links is a question of bind mounts only")
        #expect(try bound([word]).links != BindLinks())
    }
}

struct RemountPlanTests {
    @Test func `a change has attributes, and parameters where it is no bind`() throws {
        var spec = Spec()
        spec.mounts = [MountSpec("/t", type: "tmpfs", options: ["remount", "ro", "size=1", "sync", "slave"])]
        let slave = try #require(MountPropagation(word: "slave"))
        #expect(
            try mounts(spec) == [
                .remount(
                    Remount(
                        target: "/t", attributes: MountAttributes(set: MountAttributes.readOnly),
                        parameters: ["sync", "size=1"], propagation: [slave]))
            ])
        #expect(
            refusal(mounting: MountSpec("/t", options: ["remount", "bind", "size=1"]))
                == "/mounts/0/options: \"size=1\" is no option of a bind mount")
        for word in ["tmpcopyup", "idmap"] {
            #expect(
                refusal(mounting: MountSpec("/t", options: ["remount", word]))
                    == "/mounts/0/options: \"remount\" changes what is there: it copies and maps nothing")
        }
    }
}

struct OwnersPlanTests {
    @Test func `the entry's mappings count with the word and without it`() throws {
        for (words, recursive) in [([], false), (["idmap"], false), (["ridmap"], true)] {
            let mount = try bound(words) {
                $0.mounts[0].uidMappings = ranges
                $0.mounts[0].gidMappings = ranges
            }
            #expect(
                mount.owners
                    == MappedOwners(source: .ranges(uids: ranges, gids: ranges), recursive: recursive))
            #expect(mount.prepared == 0)
        }
        #expect(try bound([]).owners == nil && bound([]).prepared == nil)
    }

    @Test func `the option's ranges come first, then the entry's, then the container's`() throws {
        let mount = try bound(["idmap=uids=0-1-2;gids=0-1-2"]) {
            $0.mounts[0].uidMappings = [IDMapping(containerID: 9, hostID: 9, size: 9)]
            $0.mounts[0].gidMappings = $0.mounts[0].uidMappings
        }
        #expect(mount.owners?.source == .ranges(uids: ranges, gids: ranges))
        let namespace = try bound(["ridmap"]) {
            $0.linux.namespaces = [NamespaceSpec(.user, path: "/run/user")]
        }
        #expect(namespace.owners == MappedOwners(source: .namespace(path: "/run/user"), recursive: true))
        #expect(
            refusal(mounting: MountSpec("/t", source: "/s", options: ["bind", "idmap"]))
                == "/mounts/0/options: without mappings the owners are mapped as in the container's user namespace, and it has none"
        )
        #expect(
            refusal(
                mounting: MountSpec("/t", source: "/s", options: ["bind", "idmap=uids=@0-1-2;gids=0-1-2"]))
                == "/mounts/0/options: \"@\" means ids of the container's user namespace, and it has none")
    }

    @Test func `the container's own user namespace says how, and what ranges are relative to`() throws {
        func inUserNamespace(_ word: String) throws -> MappedOwners.Source? {
            try bound([word]) {
                $0.linux.namespaces = [NamespaceSpec(.user)]
                $0.linux.uidMappings = [IDMapping(containerID: 0, hostID: 100, size: 10)]
                $0.linux.gidMappings = [IDMapping(containerID: 5, hostID: 200, size: 10)]
            }.owners?.source
        }
        #expect(
            try inUserNamespace("idmap")
                == .ranges(
                    uids: [IDMapping(containerID: 0, hostID: 100, size: 10)],
                    gids: [IDMapping(containerID: 5, hostID: 200, size: 10)]))
        #expect(
            try inUserNamespace("idmap=uids=@7-9-1#8-9-1;gids=@7-5-3")
                == .ranges(
                    uids: [
                        IDMapping(containerID: 7, hostID: 109, size: 1),
                        IDMapping(containerID: 8, hostID: 9, size: 1),
                    ],
                    gids: [IDMapping(containerID: 7, hostID: 200, size: 3)]))
        let failure = #expect(throws: Failure.self) {
            try inUserNamespace("idmap=uids=@0-10-1;gids=0-0-1")
        }
        #expect(
            failure?.message == "/mounts/0/options: the container's user namespace has no id 10")
    }

    @Test func `only bind mounts have mapped owners`() {
        #expect(
            refusal(mounting: MountSpec("/t", type: "tmpfs", options: ["idmap"]))
                == "/mounts/0/options: only bind mounts have mapped owners")
        var mount = MountSpec("/t", type: "tmpfs")
        mount.uidMappings = ranges
        mount.gidMappings = ranges
        #expect(
            refusal(mounting: mount) == "/mounts/0/uidMappings: only bind mounts have mapped owners")
    }

    @Test func `those that the parent opens are numbered`() throws {
        var spec = Spec()
        for index in 0..<4 {
            spec.mounts.append(MountSpec("/\(index)", source: "/s", options: ["bind"]))
            guard index != 1 else { continue }
            spec.mounts[index].uidMappings = ranges
            spec.mounts[index].gidMappings = ranges
        }
        let numbers = try mounts(spec).map { operation -> Int? in
            guard case .bind(let mount) = operation else { return nil }
            return mount.prepared
        }
        #expect(numbers == [0, nil, 1, 2])
    }
}

struct PropagationPlanTests {
    @Test(
        arguments: [
            ("rshared", [], true), ("shared", [], true), ("rshared", ["rshared"], true),
            ("shared", ["shared"], true), ("rshared", ["rprivate"], false), ("rshared", ["rslave"], false),
            ("rshared", ["slave", "shared"], false), ("rslave", ["rshared"], false),
            ("rprivate", ["rshared"], false), (nil, ["rshared"], false), (nil, [], false),
        ] as [(String?, [String], Bool)])
    func `a mount reaches out of the container where both the root and its own words are shared`(
        root: String?, words: [String], want: Bool
    ) throws {
        let mount = try bound(words) { $0.linux.rootfsPropagation = root }
        #expect(mount.staysPeer == want)
        #expect((mount.prepared != nil) == want)
    }

    @Test func `from a user namespace nothing reaches out`() throws {
        let mount = try bound(["rshared"]) {
            $0.linux.rootfsPropagation = "rshared"
            $0.linux.namespaces = [NamespaceSpec(.user)]
        }
        #expect(!mount.staysPeer)
    }

    @Test(
        arguments: [
            ("rshared", ["rprivate"], true), ("rslave", ["rshared"], true), ("rshared", [], false),
            ("shared", ["private"], false), ("rprivate", ["rshared"], false), (nil, ["rshared"], false),
        ] as [(String?, [String], Bool)])
    func `a mount's own words are said again after those for the whole tree`(
        root: String?, words: [String], want: Bool
    ) throws {
        var spec = Spec()
        spec.linux.rootfsPropagation = root
        spec.mounts = [MountSpec("/t", type: "tmpfs", options: words)]
        let plan = try Planner.plan(for: spec, rootfs: "/rootfs", bundle: "/bundle")
        #expect((plan.ordered.last == .mountPropagation) == want)
        guard case .mount(let mount)? = plan.mounts.first else { throw Failure.refused("no mount") }
        #expect(mount.keepsPropagation == want)
    }
}

struct DevicePlanTests {
    @Test func `a folder of the host on /dev gets nothing made in it`() throws {
        var spec = Spec()
        spec.linux.devices = [
            DeviceSpec(path: "/dev/fuse", major: 10, minor: 229), DeviceSpec(path: "/x", major: 1, minor: 3),
        ]
        for target in ["/dev", "/dev/", "dev", "//dev/./"] {
            spec.mounts = [MountSpec(target, type: "bind", source: "/dev", options: ["rbind"])]
            let plan = try Planner.plan(for: spec, rootfs: "/rootfs", bundle: "/bundle")
            let made = plan.ordered.filter {
                switch $0 {
                case .device, .link: true
                default: false
                }
            }
            #expect(made == [.device(spec.linux.devices[1])])
        }
    }
}
