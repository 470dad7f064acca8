internal import CKernel
internal import Cgroups
internal import Glibc
public import JSON
public import Kernel

/// What `events` tells of a container.
public enum ContainerEvent: Sendable {
    /// What it uses now, as `statistics(of:)` gives it.
    case statistics(JSON)
    /// It ran out of memory: the kernel killed for it, or where it must not, lets processes wait.
    case outOfMemory
}

extension Containers {
    /// Tells what a container uses, at once and then at every interval, and when it runs out of memory; returns when it
    /// has ended.
    public func events(
        of id: String, every nanoseconds: Int64, _ tell: (ContainerEvent) throws(Failure) -> Void
    ) throws(Failure) {
        let folder = try existing(id)
        guard let record = try folder.record(), let handle = try record.process?.open() else {
            throw .refused("container with id \(id) is not running")
        }
        let manager = CgroupManager(record.cgroups)
        let watch = try manager.watchOOM()
        var kills = try manager.oomKills() ?? 0
        try tell(.statistics(try statistics(of: id)))
        let milliseconds = max(1, nanoseconds / 1_000_000)
        var tick = Deadline(milliseconds: milliseconds)
        // The kernel tells of the want before it has found whom to kill for it.
        var rounds = 0
        while true {
            let patience = rounds > 0 ? min(tick.remaining, 20) : tick.remaining
            let news = try Containers.wait(for: handle, watch, patience)
            rounds = max(0, rounds - 1)
            if news.isWatched {
                try watch.drain()
                rounds = 50
            }
            // Also when it has ended: its last act may have been to ask for too much.
            let now = try manager.oomKills() ?? kills
            var isStuck = false
            if news.isWatched, now == kills { isStuck = try manager.waitsForMemory() }
            if now > kills || isStuck {
                try tell(.outOfMemory)
                rounds = 0
            }
            kills = now
            if news.isEnded { return }
            guard tick.isOver else { continue }
            tick = Deadline(milliseconds: milliseconds)
            do throws(Failure) {
                try tell(.statistics(try statistics(of: id)))
            } catch {
                // It may have ended, or gone, this very moment.
                if try handle.waitForEnd(milliseconds: 0) { return }
                throw error
            }
        }
    }

    private static func wait(
        for handle: borrowing ProcessHandle, _ watch: borrowing OOMWatch, _ milliseconds: Int32
    ) throws(Failure) -> (isEnded: Bool, isWatched: Bool) {
        // A negative number is none to poll.
        var items = [poll_item(fd: handle.descriptor.raw, events: Int16(POLLIN), revents: 0)]
        switch watch.descriptor {
        case .some(let descriptor):
            items.append(poll_item(fd: descriptor.raw, events: Int16(POLLIN), revents: 0))
        case .none: items.append(poll_item(fd: -1, events: 0, revents: 0))
        }
        let answer = sys_poll(&items, 2, milliseconds)
        if answer == -Int(EINTR) { return (false, false) }
        try checked("poll", answer)
        return (items[0].revents != 0, items[1].revents != 0)
    }
}
