import Glibc
import Kernel
import Testing

struct MomentTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:01Z"), (86399, "1970-01-01T23:59:59Z"),
        (951_782_399, "2000-02-28T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"), (1_709_164_800, "2024-02-29T00:00:00Z"),
        (1_740_787_199, "2025-02-28T23:59:59Z"), (1_740_787_200, "2025-03-01T00:00:00Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"), (1_735_689_600, "2025-01-01T00:00:00Z"),
    ])
    func `a moment is a date and a time in UTC`(seconds: Int64, want: String) {
        #expect(Moment(nanoseconds: seconds * 1_000_000_000).text == want)
    }

    @Test(arguments: [
        (1, "00.000000001Z"), (10, "00.00000001Z"), (120_000_000, "00.12Z"), (123_456_789, "00.123456789Z"),
        (500_000_000, "00.5Z"), (999_999_999, "00.999999999Z"), (1_000_000_000, "01Z"),
        (1_000_000_010, "01.00000001Z"), (7_100_000_000, "07.1Z"),
    ])
    func `nanoseconds have no zeros at their end`(nanoseconds: Int64, want: String) {
        #expect(Moment(nanoseconds: nanoseconds).text == "1970-01-01T00:00:" + want)
    }

    @Test func `every day that the nanoseconds reach is the day that the C library says`() {
        var wrong: [String] = []
        for day in 0..<Int(Int64.max / 1_000_000_000 / 86400) {
            var seconds = day * 86400 + 43_261
            var civil = tm()
            gmtime_r(&seconds, &civil)
            let want = [civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday]
            let text = Moment(nanoseconds: Int64(seconds) * 1_000_000_000).text
            let date = text.prefix(10).split(separator: "-").compactMap { Int32($0) }
            if date != want || !text.hasSuffix("T12:01:01Z") { wrong.append(text) }
        }
        #expect(wrong == [])
    }

    @Test func `now is between two readings of the clock`() {
        let before = time(nil)
        let now = Moment.now().nanoseconds / 1_000_000_000
        #expect(now >= before - 1 && now <= time(nil) + 1)
    }
}

struct DeadlineTests {
    @Test func `a deadline is over after its time, and then has nothing left`() {
        let deadline = Deadline(milliseconds: 20)
        #expect(!deadline.isOver)
        #expect(deadline.remaining <= 20)
        Kernel.pause(microseconds: 25_000)
        #expect(deadline.isOver)
        #expect(deadline.remaining == 0)
    }

    @Test func `a deadline of nothing is over at once`() {
        #expect(Deadline(milliseconds: 0).isOver)
        #expect(Deadline(milliseconds: -5).remaining == 0)
    }
}
