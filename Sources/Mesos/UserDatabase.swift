package import OCI

/// The accounts of a host, from the text of its passwd(5) and group(5) files.
///
/// Lines that are not well formed are passed over, as the C library does.
package struct UserDatabase: Sendable, Equatable {
    private struct Account: Sendable, Equatable {
        let name: String
        let uid: UInt32
        let gid: UInt32
    }

    private struct Group: Sendable, Equatable {
        let gid: UInt32
        let members: [String]
    }

    private let accounts: [Account]
    private let groups: [Group]

    /// Reads both files.
    package init(passwd: String, group: String) {
        accounts = UserDatabase.lines(passwd).compactMap { fields in
            guard fields.count >= 4, let uid = UserDatabase.id(fields[2]),
                let gid = UserDatabase.id(fields[3])
            else {
                return nil
            }
            return Account(name: fields[0], uid: uid, gid: gid)
        }
        groups = UserDatabase.lines(group).compactMap { fields in
            guard fields.count >= 4, let gid = UserDatabase.id(fields[2]) else { return nil }
            return Group(gid: gid, members: fields[3].split(separator: ",").map(String.init))
        }
    }

    /// The ids of an account, or of `uid` or `uid:gid` in digits.
    ///
    /// An account brings the groups that list it. Digits that are some account's uid mean that account; other
    /// digits need a group, there is none to guess.
    ///
    /// - Returns: `nil` where there is nobody.
    package func user(_ name: String) -> UserSpec? {
        if let account = accounts.first(where: { $0.name == name }) { return user(account) }
        let parts = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let ids = parts.compactMap(UserDatabase.id)
        guard ids.count == parts.count, let uid = ids.first, ids.count <= 2 else { return nil }
        let account = accounts.first { $0.uid == uid }
        guard ids.count == 2 else { return account.map(user) }
        return UserSpec(uid: uid, gid: ids[1])
    }

    private func user(_ account: Account) -> UserSpec {
        var others: [UInt32] = []
        for group in groups where group.members.contains(account.name) && group.gid != account.gid {
            if !others.contains(group.gid) { others.append(group.gid) }
        }
        return UserSpec(uid: account.uid, gid: account.gid, additionalGids: others)
    }

    private static func lines(_ text: String) -> [[String]] {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) }
    }

    /// 2³²−1 means "leave as it is" to the kernel, so nobody can be it.
    private static func id(_ text: String) -> UInt32? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else {
            return nil
        }
        return UInt32(text).flatMap { $0 == UInt32.max ? nil : $0 }
    }
}
