import OCI
import Testing

@testable import Plan

struct HooksPlanTests {
    private func plan(_ change: (inout HooksSpec) -> Void) throws -> [Operation] {
        var spec = Spec()
        spec.root = RootSpec(path: "rootfs", readonly: true)
        spec.linux.sysctl = [Annotation("net.x", "1")]
        spec.linux.maskedPaths = ["/m"]
        var hooks = HooksSpec()
        change(&hooks)
        spec.hooks = hooks
        return try Planner.plan(for: spec, rootfs: "/rootfs", bundle: "/bundle").ordered
    }

    @Test func `the hooks of create come when all is mounted, and before anything is closed`() throws {
        for path in [\HooksSpec.prestart, \.createRuntime, \.createContainer] {
            let operations = try plan { $0[keyPath: path] = [HookSpec(path: "/h")] }
            let place = try #require(operations.firstIndex(of: .hooks))
            #expect(operations[place - 1] == .sysctl(name: "net.x", value: "1"))
            #expect(operations[(place + 1)...] == [.mask("/m"), .readOnlyRoot, .pivot])
        }
    }

    @Test func `without such hooks nobody stops for them`() throws {
        for path in [\HooksSpec.startContainer, \.poststart, \.poststop] {
            #expect(try !plan { $0[keyPath: path] = [HookSpec(path: "/h")] }.contains(.hooks))
        }
        #expect(try !plan { _ in }.contains(.hooks))
    }
}
