import Testing

@testable import DecisionLog

@Suite struct TilePathTests {
    /// C2SP tlog-tiles: "index 1234067 will be encoded as x001/x234/067".
    @Test(arguments: [
        (TilePath(.hashes(level: 0), index: 0), "tile/0/000"),
        (TilePath(.hashes(level: 3), index: 1_234_067), "tile/3/x001/x234/067"),
        (TilePath(.hashes(level: 0), index: 1_234_067, width: 112), "tile/0/x001/x234/067.p/112"),
        (TilePath(.entries, index: 999), "tile/entries/999"),
        (TilePath(.entries, index: 1000, width: 1), "tile/entries/x001/000.p/1"),
        (TilePath(.hashes(level: 63), index: 7, width: 255), "tile/63/007.p/255"),
        (TilePath(.entries, index: .max), "tile/entries/x018/x446/x744/x073/x709/x551/615"),
    ])
    func pathsAreReadAndWritten(tile: TilePath, path: String) {
        #expect(tile.path == path)
        #expect(TilePath(path) == tile)
    }

    @Test(arguments: [
        "", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001", "tile/0/001/001", "tile/0/x001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
        "tile/0/000.p/", "tile/0/000.p", "tile/0/000/1", "tile/data/000", "tile/entries/", "tile/entries/x1/000",
        "/tile/0/000",
        "tile/0/../0/000", "tile//000", "tile/0/000.p/1/", "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999", "tile/0/٠٠٠",
    ])
    func otherSpellingsAreRefused(path: String) {
        #expect(TilePath(path) == nil)
    }

    @Test func foldersAreNamedFromTheOutermost() {
        #expect(
            TilePath(.entries, index: 1_234_067, width: 9).folders == [
                "tile", "tile/entries", "tile/entries/x001", "tile/entries/x001/x234", "tile/entries/x001/x234/067.p",
            ])
    }

    /// C2SP tlog-tiles, "Partial Tiles": the tree of 70,000 leaves.
    @Test func seventyThousandLeavesHaveTheTilesOfTheSpecification() {
        let shape = TreeShape(size: 70_000)
        #expect(shape.levels == 3)
        #expect(shape.fullTiles(.hashes(level: 0)) == 273)
        #expect(shape.partialTile(.hashes(level: 0))?.path == "tile/0/273.p/112")
        #expect(shape.fullTiles(.hashes(level: 1)) == 1)
        #expect(shape.partialTile(.hashes(level: 1))?.path == "tile/1/001.p/17")
        #expect(shape.partialTile(.hashes(level: 2))?.path == "tile/2/000.p/1")
        #expect(shape.partialTile(.entries)?.path == "tile/entries/273.p/112")
        #expect(shape.tile(.entries, holding: 69_999).width == 112)
        #expect(shape.tile(.entries, holding: 69_000).width == 256)
    }

    @Test(arguments: [(0, 0), (1, 1), (255, 1), (256, 2), (257, 2), (65_535, 2), (65_536, 3), (65_537, 3)])
    func levelsBeginWhereATileIsFull(size: UInt64, levels: Int) {
        #expect(TreeShape(size: size).levels == levels)
        #expect((TreeShape(size: size).partialTile(.hashes(level: 0)) == nil) == (size % 256 == 0))
    }
}
