-- Scratch: what no ledger entry repeats. It is not rebuilt.

CREATE TABLE req_nonce (
    officer TEXT    NOT NULL,
    nonce   TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (officer, nonce)
) WITHOUT ROWID;
CREATE INDEX req_nonce_at ON req_nonce (at);

-- kept is 1 once an accepted message names the upload. It is not derived: a
-- ledger whose openings are gone must not lose its blobs to a sweep.
CREATE TABLE upload (
    msg     TEXT    NOT NULL,
    part    INTEGER NOT NULL,
    officer TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    stanzas INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    kept    INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)),
    PRIMARY KEY (msg, part)
) WITHOUT ROWID;
CREATE INDEX upload_begun ON upload (at) WHERE kept = 0;

CREATE TABLE blob_chunk (
    msg  TEXT    NOT NULL,
    part INTEGER NOT NULL,
    off  INTEGER NOT NULL CHECK (off >= 0),
    data BLOB    NOT NULL,
    PRIMARY KEY (msg, part, off)
);

CREATE TABLE shred (
    msg     TEXT NOT NULL PRIMARY KEY,
    period  TEXT NOT NULL,
    wrapped BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE shred_period (
    id      TEXT    NOT NULL PRIMARY KEY,
    wrapped BLOB    NOT NULL,
    at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX shred_period_at ON shred_period (at, id);

CREATE TABLE package (
    sha256 TEXT NOT NULL PRIMARY KEY,
    data   BLOB NOT NULL
);

CREATE TABLE recipient_key (
    rk        TEXT NOT NULL PRIMARY KEY,
    recipient TEXT NOT NULL
);

CREATE TABLE pending (
    digest TEXT    NOT NULL PRIMARY KEY,
    dsse   BLOB    NOT NULL,
    at     INTEGER NOT NULL
);
CREATE INDEX pending_at ON pending (at, digest);

-- Refusals beyond those that get a leaf each, until they are counted in one.
CREATE TABLE overflow (
    id      TEXT    NOT NULL PRIMARY KEY,
    officer TEXT    NOT NULL,
    desk    TEXT    NOT NULL,
    at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX overflow_at ON overflow (at);

CREATE TRIGGER upload_kept BEFORE UPDATE ON upload
WHEN NEW.kept < OLD.kept OR (OLD.kept = 1 AND (NEW.size <> OLD.size OR NEW.hash <> OLD.hash))
BEGIN SELECT RAISE(ABORT, 'upload: an accepted message names it, it may not change'); END;
CREATE TRIGGER upload_delete BEFORE DELETE ON upload
WHEN OLD.kept = 1 AND (SELECT active FROM eraser) = 0
BEGIN SELECT RAISE(ABORT, 'upload: only the eraser may delete what a message names'); END;

CREATE TRIGGER blob_chunk_insert BEFORE INSERT ON blob_chunk
WHEN EXISTS (SELECT 1 FROM upload WHERE msg = NEW.msg AND part = NEW.part AND kept = 1)
BEGIN SELECT RAISE(ABORT, 'blob_chunk: an accepted message names it, it may not change'); END;
CREATE TRIGGER blob_chunk_update BEFORE UPDATE ON blob_chunk
WHEN EXISTS (SELECT 1 FROM upload WHERE msg = OLD.msg AND part = OLD.part AND kept = 1)
BEGIN SELECT RAISE(ABORT, 'blob_chunk: an accepted message names it, it may not change'); END;
CREATE TRIGGER blob_chunk_delete BEFORE DELETE ON blob_chunk
WHEN (SELECT active FROM eraser) = 0
BEGIN SELECT RAISE(ABORT, 'blob_chunk: only the eraser may delete'); END;

CREATE TRIGGER shred_delete BEFORE DELETE ON shred
WHEN (SELECT active FROM eraser) = 0
BEGIN SELECT RAISE(ABORT, 'shred: only the eraser may delete'); END;
