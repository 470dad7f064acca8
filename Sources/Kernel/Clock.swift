internal import CKernel
internal import Glibc

/// A moment, in nanoseconds since the epoch.
package struct Moment: Sendable, Hashable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The moment now.
    package static func now() -> Moment { Moment(nanoseconds: read(CLOCK_REALTIME)) }

    /// Nanoseconds of a clock that never goes back: for time-outs.
    package static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: Int32) -> Int64 {
        var seconds: Int64 = 0
        var nanoseconds: Int64 = 0
        _ = sys_clock(clock, &seconds, &nanoseconds)  // cannot fail for these two clocks
        return seconds * 1_000_000_000 + nanoseconds
    }

    /// RFC 3339 in UTC; nanoseconds without trailing zeros, as Go prints it.
    package var text: String {
        let seconds = Int(nanoseconds / 1_000_000_000)
        var fraction = Int(nanoseconds % 1_000_000_000)
        let (days, rest) = (seconds / 86400, seconds % 86400)
        // Days to civil date, after Howard Hinnant's algorithm for the proleptic Gregorian calendar.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        var text = "\(padded(year, 4))-\(padded(civilMonth, 2))-\(padded(day, 2))T"
        text += "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
        guard fraction > 0 else { return text + "Z" }
        var width = 9
        while fraction % 10 == 0 {
            fraction /= 10
            width -= 1
        }
        return text + ".\(padded(fraction, width))Z"
    }
}

/// Sleeps for `microseconds`; a signal ends it early.
package func pause(microseconds: UInt64) { _ = sys_sleep_microseconds(microseconds) }

/// A point in time after which waiting stops.
package struct Deadline: Sendable {
    private let end: Int64

    package init(milliseconds: Int64) { end = Moment.monotonic() + milliseconds * 1_000_000 }

    package var isOver: Bool { Moment.monotonic() >= end }

    /// Milliseconds left, at least 0.
    package var remaining: Int32 { Int32(clamping: max(0, (end - Moment.monotonic()) / 1_000_000)) }
}
