-- The ledger: what is written here stays. Times are ms since 1970 UTC. Text is
-- compared byte by byte. No column is filled by the database itself.

CREATE TABLE head (
    log  INTEGER NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size BETWEEN 0 AND 9007199254740991),
    root BLOB    NOT NULL CHECK (typeof(root) = 'blob' AND length(root) = 32),
    at   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE entry (
    log  INTEGER NOT NULL,
    idx  INTEGER NOT NULL CHECK (idx BETWEEN 0 AND 9007199254740990),
    leaf BLOB    NOT NULL CHECK (typeof(leaf) = 'blob' AND length(leaf) BETWEEN 1 AND 65535),
    PRIMARY KEY (log, idx)
) WITHOUT ROWID;

CREATE TABLE node (
    log  INTEGER NOT NULL,
    pos  INTEGER NOT NULL CHECK (pos >= 0),
    hash BLOB    NOT NULL CHECK (typeof(hash) = 'blob' AND length(hash) = 32),
    PRIMARY KEY (log, pos)
) WITHOUT ROWID;

CREATE TABLE checkpoint (
    log    INTEGER NOT NULL,
    size   INTEGER NOT NULL CHECK (size >= 0),
    seq    INTEGER NOT NULL CHECK (seq >= 0),
    root   BLOB    NOT NULL CHECK (typeof(root) = 'blob' AND length(root) = 32),
    note   BLOB    NOT NULL,
    cosigs INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (log, size, seq)
);

-- What opens the leaf idx of the evidence log; the directory is in clear.
CREATE TABLE opening (
    idx  INTEGER NOT NULL PRIMARY KEY CHECK (idx >= 0),
    meta BLOB    NOT NULL,
    r_m  BLOB    NOT NULL,
    priv BLOB    NOT NULL,
    r_p  BLOB    NOT NULL
);

-- The leaves whose opening was erased, for ever.
CREATE TABLE erasure (
    idx INTEGER NOT NULL PRIMARY KEY CHECK (idx >= 0)
);

-- How many leaves of the evidence log have an opening or an erasure. Compared
-- with head.size it tells in one step whether any leaf has neither.
CREATE TABLE covered (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL CHECK (count >= 0)
) WITHOUT ROWID;

-- SQLite has no roles: whoever may write the file could erase. This switch
-- keeps every other statement of the program from doing so by mistake; it is 1
-- only within the transaction that erases.
CREATE TABLE eraser (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) WITHOUT ROWID;

-- The root of an empty log is the SHA-256 of nothing (RFC 6962 section 2.1).
INSERT INTO head (log, size, root, at) VALUES
    (0, 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0),
    (1, 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0);
INSERT INTO covered (one, count) VALUES (1, 0);
INSERT INTO eraser (one, active) VALUES (1, 0);

CREATE TRIGGER head_insert BEFORE INSERT ON head
BEGIN SELECT RAISE(ABORT, 'head: its rows were made with the ledger, no other may be added'); END;
CREATE TRIGGER head_delete BEFORE DELETE ON head
BEGIN SELECT RAISE(ABORT, 'head: a row may not be deleted'); END;
CREATE TRIGGER head_update BEFORE UPDATE ON head
WHEN NEW.log <> OLD.log OR NEW.size <= OLD.size OR NEW.at < OLD.at
  OR NOT EXISTS (SELECT 1 FROM entry WHERE log = NEW.log AND idx = NEW.size - 1)
BEGIN SELECT RAISE(ABORT, 'head: it only moves forward, to a size whose last entry is stored'); END;

-- The triggers on INSERT stop INSERT OR REPLACE, which deletes without asking
-- the triggers on DELETE.
CREATE TRIGGER entry_insert BEFORE INSERT ON entry
WHEN EXISTS (SELECT 1 FROM entry WHERE log = NEW.log AND idx = NEW.idx)
BEGIN SELECT RAISE(ABORT, 'entry: the index is taken, entries are append-only'); END;
CREATE TRIGGER entry_update BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'entry: append-only, no row may be changed'); END;
CREATE TRIGGER entry_delete BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'entry: append-only, no row may be deleted'); END;

CREATE TRIGGER node_insert BEFORE INSERT ON node
WHEN EXISTS (SELECT 1 FROM node WHERE log = NEW.log AND pos = NEW.pos)
BEGIN SELECT RAISE(ABORT, 'node: the position is taken, nodes are append-only'); END;
CREATE TRIGGER node_update BEFORE UPDATE ON node
BEGIN SELECT RAISE(ABORT, 'node: append-only, no row may be changed'); END;
CREATE TRIGGER node_delete BEFORE DELETE ON node
BEGIN SELECT RAISE(ABORT, 'node: append-only, no row may be deleted'); END;

CREATE TRIGGER checkpoint_insert BEFORE INSERT ON checkpoint
WHEN EXISTS (SELECT 1 FROM checkpoint WHERE log = NEW.log AND size = NEW.size AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'checkpoint: the place is taken, checkpoints are append-only'); END;
CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint: append-only, no row may be changed'); END;
CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint: append-only, no row may be deleted'); END;

CREATE TRIGGER opening_insert BEFORE INSERT ON opening
WHEN EXISTS (SELECT 1 FROM opening WHERE idx = NEW.idx)
BEGIN SELECT RAISE(ABORT, 'opening: the index is taken, openings are append-only'); END;
CREATE TRIGGER opening_erased BEFORE INSERT ON opening
WHEN EXISTS (SELECT 1 FROM erasure WHERE idx = NEW.idx)
BEGIN SELECT RAISE(ABORT, 'opening: it was erased and may not come back'); END;
CREATE TRIGGER opening_update BEFORE UPDATE ON opening
BEGIN SELECT RAISE(ABORT, 'opening: append-only, no row may be changed'); END;
CREATE TRIGGER opening_delete BEFORE DELETE ON opening
WHEN (SELECT active FROM eraser) = 0
BEGIN SELECT RAISE(ABORT, 'opening: only the eraser may delete'); END;

CREATE TRIGGER erasure_insert BEFORE INSERT ON erasure
WHEN (SELECT active FROM eraser) = 0
BEGIN SELECT RAISE(ABORT, 'erasure: only the eraser may insert'); END;
CREATE TRIGGER erasure_update BEFORE UPDATE ON erasure
BEGIN SELECT RAISE(ABORT, 'erasure: append-only, no row may be changed'); END;
CREATE TRIGGER erasure_delete BEFORE DELETE ON erasure
BEGIN SELECT RAISE(ABORT, 'erasure: append-only, no row may be deleted'); END;

CREATE TRIGGER covered_insert BEFORE INSERT ON covered
BEGIN SELECT RAISE(ABORT, 'covered: one row, made with the ledger'); END;
CREATE TRIGGER covered_update BEFORE UPDATE ON covered
WHEN NEW.count < OLD.count AND NEW.count <> (SELECT count(*) FROM opening) + (SELECT count(*) FROM erasure)
BEGIN SELECT RAISE(ABORT, 'covered: it only grows, except to the truth'); END;
CREATE TRIGGER covered_delete BEFORE DELETE ON covered
BEGIN SELECT RAISE(ABORT, 'covered: the row may not be deleted'); END;
