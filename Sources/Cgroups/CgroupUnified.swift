internal import Kernel

extension CgroupManager {
    func enableControllers(in directory: CgroupSet.Directory, for limits: [LimitWrites]) throws(Failure) {}
}
