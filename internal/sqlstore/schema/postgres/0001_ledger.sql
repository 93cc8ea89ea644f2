-- The ledger: what is written here stays. Times are ms since 1970 UTC. Text is
-- compared byte by byte, whatever the collation of the database. No column is
-- filled by the database itself. Everything belongs to odziv_owner, which cannot
-- log in; functions name the schema, so that nobody's search path misleads them.

CREATE TABLE head (
    log  smallint NOT NULL PRIMARY KEY,
    size bigint   NOT NULL CHECK (size BETWEEN 0 AND 9007199254740991),
    root bytea    NOT NULL CHECK (octet_length(root) = 32),
    at   bigint   NOT NULL
) WITH (fillfactor = 10); -- two rows, changed by every transaction: room for their versions

CREATE TABLE entry (
    log  smallint NOT NULL,
    idx  bigint   NOT NULL CHECK (idx BETWEEN 0 AND 9007199254740990),
    leaf bytea    NOT NULL CHECK (octet_length(leaf) BETWEEN 1 AND 65535),
    PRIMARY KEY (log, idx)
);

CREATE TABLE node (
    log  smallint NOT NULL,
    pos  bigint   NOT NULL CHECK (pos >= 0),
    hash bytea    NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (log, pos)
);

CREATE TABLE checkpoint (
    log    smallint NOT NULL,
    size   bigint   NOT NULL CHECK (size >= 0),
    seq    bigint   NOT NULL CHECK (seq >= 0),
    root   bytea    NOT NULL CHECK (octet_length(root) = 32),
    note   bytea    NOT NULL,
    cosigs bigint   NOT NULL,
    at     bigint   NOT NULL,
    PRIMARY KEY (log, size, seq)
);

-- What opens the leaf idx of the evidence log; the directory is in clear. What
-- is deleted here leaves the files when it is vacuumed: as soon as may be.
CREATE TABLE opening (
    idx  bigint NOT NULL PRIMARY KEY CHECK (idx >= 0),
    meta bytea  NOT NULL,
    r_m  bytea  NOT NULL,
    priv bytea  NOT NULL,
    r_p  bytea  NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);

-- The leaves whose opening was erased, for ever.
CREATE TABLE erasure (
    idx bigint NOT NULL PRIMARY KEY CHECK (idx >= 0)
);

-- How many leaves of the evidence log have an opening or an erasure. Compared
-- with head.size it tells in one step whether any leaf has neither.
CREATE TABLE covered (
    one   smallint NOT NULL PRIMARY KEY CHECK (one = 1),
    count bigint   NOT NULL CHECK (count >= 0)
) WITH (fillfactor = 10);

-- The root of an empty log is the SHA-256 of nothing (RFC 6962 section 2.1).
INSERT INTO head (log, size, root, at) VALUES
    (0, 0, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0),
    (1, 0, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0);
INSERT INTO covered (one, count) VALUES (1, 0);

-- refuse raises what the trigger says: its first argument.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER head_insert BEFORE INSERT OR DELETE OR TRUNCATE ON head
FOR EACH STATEMENT EXECUTE FUNCTION refuse('two rows, made with the ledger: none may be added or deleted');
CREATE FUNCTION head_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.log <> OLD.log OR NEW.size <= OLD.size OR NEW.at < OLD.at
       OR NOT EXISTS (SELECT 1 FROM odziv.entry WHERE log = NEW.log AND idx = NEW.size - 1) THEN
        RAISE EXCEPTION 'head: it only moves forward, to a size whose last entry is stored'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER head_update BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION head_forward();

CREATE TRIGGER entry_change BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse('append-only, no row may be changed or deleted');
CREATE TRIGGER node_change BEFORE UPDATE OR DELETE OR TRUNCATE ON node
FOR EACH STATEMENT EXECUTE FUNCTION refuse('append-only, no row may be changed or deleted');
CREATE TRIGGER checkpoint_change BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
FOR EACH STATEMENT EXECUTE FUNCTION refuse('append-only, no row may be changed or deleted');
CREATE TRIGGER erasure_change BEFORE UPDATE OR DELETE OR TRUNCATE ON erasure
FOR EACH STATEMENT EXECUTE FUNCTION refuse('append-only, no row may be changed or deleted');
CREATE TRIGGER opening_change BEFORE UPDATE OR TRUNCATE ON opening
FOR EACH STATEMENT EXECUTE FUNCTION refuse('append-only, no row may be changed');

-- Whoever else may delete by rights, the owner or a superuser, does it by mistake.
CREATE TRIGGER opening_delete BEFORE DELETE ON opening
FOR EACH STATEMENT WHEN (current_user <> 'odziv_eraser') EXECUTE FUNCTION refuse('only the eraser may delete');
CREATE TRIGGER erasure_insert BEFORE INSERT ON erasure
FOR EACH STATEMENT WHEN (current_user <> 'odziv_eraser') EXECUTE FUNCTION refuse('only the eraser may insert');

CREATE FUNCTION opening_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM odziv.erasure WHERE idx = NEW.idx) THEN
        RAISE EXCEPTION 'opening: it was erased and may not come back'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER opening_erased BEFORE INSERT ON opening FOR EACH ROW EXECUTE FUNCTION opening_erased();

CREATE TRIGGER covered_insert BEFORE INSERT OR DELETE OR TRUNCATE ON covered
FOR EACH STATEMENT EXECUTE FUNCTION refuse('one row, made with the ledger');
CREATE FUNCTION covered_less() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.count <> (SELECT count(*) FROM odziv.opening) + (SELECT count(*) FROM odziv.erasure) THEN
        RAISE EXCEPTION 'covered: it only grows, except to the truth'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER covered_update BEFORE UPDATE ON covered
FOR EACH ROW WHEN (NEW.count < OLD.count) EXECUTE FUNCTION covered_less();

GRANT USAGE ON SCHEMA odziv TO odziv_api, odziv_audit, odziv_eraser;
GRANT SELECT ON schema_version TO odziv_api, odziv_audit;
GRANT SELECT, UPDATE (size, root, at) ON head TO odziv_api;
GRANT SELECT, INSERT ON entry, node, checkpoint, opening TO odziv_api;
GRANT SELECT, UPDATE (count) ON covered TO odziv_api;
GRANT SELECT ON erasure TO odziv_api;
GRANT SELECT ON head, entry, node, checkpoint, opening, erasure, covered TO odziv_audit;
GRANT SELECT, DELETE ON opening TO odziv_eraser;
GRANT SELECT, INSERT ON erasure TO odziv_eraser;
