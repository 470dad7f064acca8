// embed-init PROGRAM CONSTANT.swift COMMAND…: runs the command that makes a program, then writes the
// program's bytes as a Swift constant.
//
// As words and not as a string: a string literal is UTF-8, and an ELF file is not. An array of integer
// literals is laid out by the compiler, so nothing is decoded when mrun runs.
import Glibc

func fail(_ path: String) -> Never {
    perror("embed-init: \(path)")
    exit(1)
}

func run(_ command: [String]) {
    var pid: pid_t = 0
    var status: Int32 = 0
    var arguments = command.map { strdup($0) } + [nil]
    errno = posix_spawn(&pid, command[0], nil, nil, &arguments, environ)
    guard errno == 0, waitpid(pid, &status, 0) == pid else { fail(command[0]) }
    // The command has said what was wrong.
    guard status == 0 else { exit(1) }
}

func read(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "rb") else { fail(path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
        bytes += chunk[..<count]
    }
    guard ferror(file) == 0 else { fail(path) }
    return bytes
}

/// The bytes as they lie in memory on a little-endian machine; the last word is filled up with zeros.
func words(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count, by: 8).map { start in
        bytes[start..<min(start + 8, bytes.count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

func constant(_ bytes: [UInt8]) -> String {
    let literals = words(bytes).map { "0x" + String($0, radix: 16) }
    let lines = stride(from: 0, to: literals.count, by: 5).map { start in
        "        " + literals[start..<min(start + 5, literals.count)].joined(separator: ", ") + ","
    }
    return """
        enum InitImage {
            static let size = \(bytes.count)
            static let words: [UInt64] = [
        \(lines.joined(separator: "\n"))
            ]
        }

        """
}

func write(_ text: String, to path: String) {
    guard let file = fopen(path, "w") else { fail(path) }
    guard fputs(text, file) >= 0, fclose(file) == 0 else { fail(path) }
}

let arguments = CommandLine.arguments
guard arguments.count > 3 else {
    print("usage: embed-init PROGRAM CONSTANT.swift COMMAND [ARGUMENT…]")
    exit(2)
}
run(Array(arguments[3...]))
write(constant(read(arguments[1])), to: arguments[2])
