import JSON
import Kernel
import OCI

/// A config that uses every member that mrun takes.
let fullConfig = #"""
    {
      "ociVersion": "1.2.0",
      "process": {
        "terminal": false,
        "user": {"uid": 1000, "gid": 100, "umask": 63, "additionalGids": [5, 4294967294]},
        "args": ["sh", "-c", "echo $A"],
        "env": ["PATH=/bin", "A=b=c", "EMPTY="],
        "cwd": "/work",
        "capabilities": {
          "bounding": ["CAP_KILL"], "effective": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_SETUID"],
          "inheritable": ["CAP_SETGID"], "ambient": ["CAP_FOWNER"]
        },
        "rlimits": [
          {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096},
          {"type": "RLIMIT_CORE", "soft": 0, "hard": 18446744073709551615}
        ],
        "noNewPrivileges": true,
        "oomScoreAdj": -500
      },
      "root": {"path": "rootfs", "readonly": true},
      "hostname": "web",
      "domainname": "example.org",
      "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "ro"]}
      ],
      "annotations": {"org.mrun.init": "true", "z": "1", "a": "2"},
      "linux": {
        "namespaces": [
          {"type": "pid"}, {"type": "network"}, {"type": "mount"}, {"type": "ipc"},
          {"type": "uts"}, {"type": "cgroup", "path": "/run/cgroup/a"}
        ],
        "devices": [
          {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 1, "gid": 2},
          {"path": "/dev/pipe", "type": "p"}
        ],
        "cgroupsPath": "/mesos/web",
        "resources": {
          "devices": [
            {"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": -1, "access": "rm"}
          ],
          "cpu": {
            "shares": 512, "quota": -1, "period": 100000, "burst": 7, "cpus": "0-1", "mems": "0", "idle": 1,
            "realtimeRuntime": 950000, "realtimePeriod": 1000000
          },
          "memory": {
            "limit": 1048576, "reservation": -1, "swap": 2097152, "swappiness": 60,
            "disableOOMKiller": true
          },
          "pids": {"limit": 32},
          "unified": {"memory.high": "1M", "cpu.weight": "5"}
        },
        "sysctl": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "8192"},
        "rootfsPropagation": "rslave",
        "maskedPaths": ["/proc/kcore"],
        "readonlyPaths": ["/proc/sys"],
        "seccomp": {
          "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
          "architectures": ["SCMP_ARCH_X86_64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
          "syscalls": [
            {
              "names": ["clone"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1,
              "args": [{"index": 0, "value": 2114060288, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]
            }
          ]
        }
      }
    }
    """#

/// The shortest config that can be run.
let smallConfig = #"""
    {"ociVersion":"1.0.2","process":{"args":["true"],"cwd":"/"},"root":{"path":"rootfs"},"linux":{"namespaces":[{"type":"mount"}]}}
    """#

func decode(_ text: String) throws -> Spec { try Spec(Cursor(JSON.parse(Array(text.utf8)))) }

extension JSON {
    /// This document with the value at `pointer` replaced (or added; `-` appends), or removed where `value` is `nil`.
    func changed(_ pointer: String, to value: JSON?) -> JSON {
        let steps = pointer.split(separator: "/").map { step in
            String(step.replacing("~1", with: "/").replacing("~0", with: "~"))
        }
        return changed(steps[...], to: value)
    }

    private func changed(_ steps: ArraySlice<String>, to value: JSON?) -> JSON {
        guard let step = steps.first else { return value ?? .null }
        let isLast = steps.count == 1
        if case .array(var elements) = self {
            if step == "-", let value { return .array(elements + [value]) }
            guard let index = Int(step) else { return self }
            if isLast && value == nil {
                elements.remove(at: index)
            } else {
                elements[index] = elements[index].changed(steps.dropFirst(), to: value)
            }
            return .array(elements)
        }
        var members: [Member] = []
        if case .object(let all) = self { members = all }
        let index = members.firstIndex { $0.name == step }
        if isLast && value == nil {
            members.removeAll { $0.name == step }
        } else {
            let old = index.map { members[$0].value } ?? .object([])
            let new = Member(step, old.changed(steps.dropFirst(), to: value))
            if let index { members[index] = new } else { members.append(new) }
        }
        return .object(members)
    }
}
