-- Scratch: what no ledger entry repeats. It is not rebuilt.

CREATE TABLE req_nonce (
    officer text COLLATE "C" NOT NULL,
    nonce   text COLLATE "C" NOT NULL,
    at      bigint           NOT NULL,
    PRIMARY KEY (officer, nonce)
);
CREATE INDEX req_nonce_at ON req_nonce (at);

-- kept is 1 once an accepted message names the upload. It is not derived: a
-- ledger whose openings are gone must not lose its blobs to a sweep.
CREATE TABLE upload (
    msg     text COLLATE "C" NOT NULL,
    part    bigint           NOT NULL,
    officer text COLLATE "C" NOT NULL,
    size    bigint           NOT NULL,
    hash    bytea            NOT NULL,
    stanzas bigint           NOT NULL,
    at      bigint           NOT NULL,
    kept    bigint           NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)),
    PRIMARY KEY (msg, part)
);
CREATE INDEX upload_begun ON upload (at) WHERE kept = 0;

CREATE TABLE blob_chunk (
    msg  text COLLATE "C" NOT NULL,
    part bigint           NOT NULL,
    off  bigint           NOT NULL CHECK (off >= 0),
    data bytea            NOT NULL,
    PRIMARY KEY (msg, part, off)
);

CREATE TABLE shred (
    msg     text COLLATE "C" NOT NULL PRIMARY KEY,
    period  text COLLATE "C" NOT NULL,
    wrapped bytea            NOT NULL
);

CREATE TABLE shred_period (
    id      text COLLATE "C" NOT NULL PRIMARY KEY,
    wrapped bytea            NOT NULL,
    at      bigint           NOT NULL
);
CREATE INDEX shred_period_at ON shred_period (at, id);

CREATE TABLE package (
    sha256 text COLLATE "C" NOT NULL PRIMARY KEY,
    data   bytea            NOT NULL
);

CREATE TABLE recipient_key (
    rk        text COLLATE "C" NOT NULL PRIMARY KEY,
    recipient text COLLATE "C" NOT NULL
);

CREATE TABLE pending (
    digest text COLLATE "C" NOT NULL PRIMARY KEY,
    dsse   bytea            NOT NULL,
    at     bigint           NOT NULL
);
CREATE INDEX pending_at ON pending (at, digest);

-- Refusals beyond those that get a leaf each, until they are counted in one.
CREATE TABLE overflow (
    id      text COLLATE "C" NOT NULL PRIMARY KEY,
    officer text COLLATE "C" NOT NULL,
    desk    text COLLATE "C" NOT NULL,
    at      bigint           NOT NULL
);
CREATE INDEX overflow_at ON overflow (at);

-- Chunks are sealed and do not compress; what is deleted leaves the files when
-- it is vacuumed: as soon as may be.
ALTER TABLE blob_chunk ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE blob_chunk SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 0);
ALTER TABLE shred SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);

CREATE TRIGGER upload_kept BEFORE UPDATE ON upload FOR EACH ROW
WHEN (NEW.kept < OLD.kept OR (OLD.kept = 1 AND (NEW.size <> OLD.size OR NEW.hash <> OLD.hash)))
EXECUTE FUNCTION refuse('an accepted message names it, it may not change');

-- The lock makes whoever writes a chunk wait for whoever accepts the message, and
-- the other way round: without it either could miss the other.
CREATE FUNCTION blob_chunk_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_kept bigint;
BEGIN
    SELECT kept INTO is_kept FROM odziv.upload WHERE msg = NEW.msg AND part = NEW.part FOR SHARE;
    IF is_kept = 1 THEN
        RAISE EXCEPTION 'blob_chunk: an accepted message names it, it may not change'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER blob_chunk_kept BEFORE INSERT OR UPDATE ON blob_chunk FOR EACH ROW EXECUTE FUNCTION blob_chunk_kept();
CREATE TRIGGER blob_chunk_moved BEFORE UPDATE ON blob_chunk FOR EACH ROW
WHEN (NEW.msg <> OLD.msg OR NEW.part <> OLD.part OR NEW.off <> OLD.off)
EXECUTE FUNCTION refuse('a chunk stays in its place');

CREATE TRIGGER upload_delete BEFORE DELETE ON upload
FOR EACH STATEMENT WHEN (current_user <> 'odziv_eraser') EXECUTE FUNCTION refuse('only the eraser may delete');
CREATE TRIGGER blob_chunk_delete BEFORE DELETE ON blob_chunk
FOR EACH STATEMENT WHEN (current_user <> 'odziv_eraser') EXECUTE FUNCTION refuse('only the eraser may delete');
CREATE TRIGGER shred_delete BEFORE DELETE ON shred
FOR EACH STATEMENT WHEN (current_user <> 'odziv_eraser') EXECUTE FUNCTION refuse('only the eraser may delete');
CREATE TRIGGER upload_truncate BEFORE TRUNCATE ON upload
FOR EACH STATEMENT EXECUTE FUNCTION refuse('no row may be deleted but one by one');
CREATE TRIGGER blob_chunk_truncate BEFORE TRUNCATE ON blob_chunk
FOR EACH STATEMENT EXECUTE FUNCTION refuse('no row may be deleted but one by one');
CREATE TRIGGER shred_truncate BEFORE TRUNCATE ON shred
FOR EACH STATEMENT EXECUTE FUNCTION refuse('no row may be deleted but one by one');

GRANT SELECT, INSERT, DELETE ON req_nonce TO odziv_api;
GRANT SELECT, INSERT, UPDATE ON upload, blob_chunk, shred, shred_period TO odziv_api;
GRANT SELECT, INSERT ON package, recipient_key TO odziv_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON pending, overflow TO odziv_api;
GRANT SELECT, DELETE ON upload, blob_chunk, shred TO odziv_eraser;
