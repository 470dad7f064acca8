/// Open only the place, not the file: glibc shows it under _GNU_SOURCE alone, so Swift's module does not have
/// it.
package let O_PATH: Int32 = 0o10000000
