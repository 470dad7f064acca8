internal import Cgroups
internal import Kernel
internal import OCI

extension InitReport {
    /// Clients and tests look for these words.
    static let outOfMemory = "container init was OOM-killed (memory limit too low?)"

    /// The failure as it is, or with `words` instead where the kernel has killed in the container for want of memory.
    ///
    /// Whoever was killed cannot tell why, so this is for failures without a cause of their own.
    static func explained(
        _ failure: Failure, _ manager: CgroupManager, _ words: @autoclosure () -> String
    ) throws(Failure) -> Failure {
        guard case .refused = failure.cause, failure.exitStatus == nil else { return failure }
        guard let kills = try manager.oomKills(), kills > 0 else { return failure }
        return .refused(words())
    }
}
