internal import NIOCore

/// The bounds of this target, each with its unit in its name.
package enum StoreLimits {
    /// A packed attribute: ext4 holds 4,032 bytes of attributes for a file in all (DESIGN section 4).
    package static let attributeBytesMax = 3584
    /// What of an object's metadata lies beside it because the attribute does not hold it.
    package static let sideFileBytesMax = 256 << 10
    /// A scan takes a side file for left over only when it was written so long ago: a younger one's object may be on its way.
    static let sideFileRestSeconds: Int64 = 3600
    /// Bytes of a new object that wait in memory before they go to the file pool.
    package static let writeBufferBytes = 256 << 10
    /// After so many bytes of a new object the kernel is told to begin writing them to disk.
    static let writeBehindBytes: Int64 = 8 << 20
    /// Larger objects are hashed and made durable on their own before they join a group.
    static let groupedBytesMax = 64 << 10
    /// Groups of a store that are published at the same time.
    static let groupsAtOnce = 2
    /// A second group begins with so many objects.
    static let secondGroupCountMin = 16
    /// A group that took less is no reason to look at what its objects would have taken one by one.
    static let slowGroup = TimeAmount.milliseconds(20)
    /// How long objects are made durable one by one after a group that took longer than that.
    static let groupsRest = TimeAmount.seconds(1)
    /// How often a change of names is tried again after it lost a race against another.
    static let publishAttemptsMax = 64
    /// How often a look-up is tried again when the object was replaced meanwhile.
    static let locateAttemptsMax = 8
    /// Sorted folders kept in memory, all together.
    static let sortedFolderBytesMax = 64 << 20
    /// A folder is kept only when it had rested for so long before it was read: two ticks of the slowest kernel clock.
    static let restNanosecondsMin: Int64 = 20_000_000
    /// Objects of a store whose tags are known from the last look-up; a power of two.
    static let judgedTagsCount = 2048
    /// Objects of a store that are kept open while they rest; a power of two.
    static let restingObjectsMax = 1024
    /// Fewer than `restingObjectsMax` where the process may not have so many descriptors for each.
    static let descriptorsForEachRestingObject: UInt64 = 32
    /// Objects that lie deeper are not kept open.
    static let restingFoldersMax = 8
    /// Folders that objects may share when they are kept open.
    static let restingWaysMax = 64
    /// An object is kept open for so long, or up to twice as long.
    static let restingSweepSeconds: Int64 = 1
    /// Folders known to be on disk with all their parents.
    static let durableFoldersMax = 65_536
    /// Locks among which keys are shared out.
    static let keyLockCount = 256
    /// Keys and common prefixes in one page of a listing.
    package static let pageKeysMax = 1000
    /// Bytes of an object that are hashed at a time.
    static let hashChunkBytes = 1 << 20
    /// A component of a key is split into file names of at most so many bytes.
    static let nameBytesMax = 200
}
