-- Derived tables: a cache of what directory and openings say. Every one can be
-- emptied and filled again. A list within a row is a JSON array.

CREATE TABLE last (
    obj TEXT    NOT NULL PRIMARY KEY,
    idx INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE statement (
    id     TEXT    NOT NULL PRIMARY KEY,
    digest TEXT    NOT NULL,
    idx    INTEGER NOT NULL,
    spent  INTEGER NOT NULL CHECK (spent IN (0, 1))
) WITHOUT ROWID;

CREATE TABLE msg (
    msg      TEXT    NOT NULL PRIMARY KEY,
    idx      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    case_    TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    desk     TEXT    NOT NULL,
    inst     TEXT    NOT NULL,
    basis    TEXT    NOT NULL,
    occurred INTEGER NOT NULL,
    hold     INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    set_     TEXT    NOT NULL,
    pack     TEXT    NOT NULL,
    subj     TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX msg_case ON msg (case_, kind, idx);

CREATE TABLE msg_to (
    msg        TEXT    NOT NULL,
    desk       TEXT    NOT NULL,
    ord        INTEGER NOT NULL,
    role       TEXT    NOT NULL,
    handed     INTEGER NOT NULL,
    handed_idx INTEGER NOT NULL,
    served     INTEGER NOT NULL,
    opened     INTEGER NOT NULL,
    blocked    INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (msg, desk)
) WITHOUT ROWID;

CREATE TABLE msg_consent (
    consent TEXT    NOT NULL,
    idx     INTEGER NOT NULL,
    msg     TEXT    NOT NULL,
    PRIMARY KEY (consent, idx, msg)
) WITHOUT ROWID;

CREATE TABLE party (
    case_ TEXT NOT NULL,
    desk  TEXT NOT NULL,
    inst  TEXT NOT NULL,
    PRIMARY KEY (case_, desk)
) WITHOUT ROWID;
CREATE INDEX party_inst ON party (case_, inst);

-- Linked handles share the least of them as their matter.
CREATE TABLE case_link (
    case_  TEXT NOT NULL PRIMARY KEY,
    matter TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX case_link_matter ON case_link (matter, case_);

CREATE TABLE consent_version (
    id   TEXT    NOT NULL,
    ver  INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    act  TEXT    NOT NULL,
    subj TEXT    NOT NULL,
    stmt BLOB    NOT NULL,
    PRIMARY KEY (id, ver)
);
CREATE INDEX consent_version_subj ON consent_version (subj, id);

CREATE TABLE conflict (
    id         TEXT    NOT NULL PRIMARY KEY,
    who        TEXT    NOT NULL,
    subj       TEXT    NOT NULL,
    level      TEXT    NOT NULL,
    set_idx    INTEGER NOT NULL,
    set_at     INTEGER NOT NULL,
    lifted_idx INTEGER NOT NULL,
    lifted_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX conflict_who ON conflict (who, set_idx);

CREATE TABLE grant_ (
    id        TEXT    NOT NULL PRIMARY KEY,
    idx       INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    case_     TEXT    NOT NULL,
    desk      TEXT    NOT NULL,
    subj      TEXT    NOT NULL,
    scope     TEXT    NOT NULL,
    nb        INTEGER NOT NULL,
    na        INTEGER NOT NULL,
    ended_idx INTEGER NOT NULL,
    ended_at  INTEGER NOT NULL,
    earlier   TEXT    NOT NULL
);
CREATE INDEX grant_case ON grant_ (case_, idx);
CREATE INDEX grant_desk ON grant_ (desk, idx);

-- body is the whole obligation as JSON; the other columns are for finding it.
CREATE TABLE obligation (
    o        TEXT    NOT NULL PRIMARY KEY,
    rule     TEXT    NOT NULL,
    obligor  TEXT    NOT NULL,
    obligee  TEXT    NOT NULL,
    whom     TEXT    NOT NULL, -- the person it is owed to, else the obligee
    case_    TEXT    NOT NULL,
    obj      TEXT    NOT NULL,
    trigger_ INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    occurred INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    live     INTEGER NOT NULL CHECK (live IN (0, 1)),
    body     TEXT    NOT NULL
);
CREATE INDEX obligation_obj ON obligation (obj, o);
CREATE INDEX obligation_live ON obligation (case_, live, trigger_, o);
CREATE INDEX obligation_twin ON obligation (case_, rule, kind, occurred, obligor, whom);
CREATE INDEX obligation_due ON obligation (live, due, o);
CREATE INDEX obligation_obligor ON obligation (obligor, live, due, o);
CREATE INDEX obligation_obligee ON obligation (obligee, live, due, o);

CREATE TABLE mark (
    o     TEXT    NOT NULL,
    level INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    PRIMARY KEY (o, level)
) WITHOUT ROWID;

CREATE TABLE feed (
    desk   TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    erased INTEGER NOT NULL,
    PRIMARY KEY (desk, n)
) WITHOUT ROWID;

CREATE TABLE scope (
    case_ TEXT    NOT NULL,
    idx   INTEGER NOT NULL,
    scope TEXT    NOT NULL,
    PRIMARY KEY (case_, idx, scope)
) WITHOUT ROWID;

CREATE TABLE access (
    officer TEXT    NOT NULL,
    case_   TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    idx     INTEGER NOT NULL,
    PRIMARY KEY (officer, case_, day)
) WITHOUT ROWID;

CREATE TABLE refusal (
    officer TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    idx     INTEGER NOT NULL,
    PRIMARY KEY (officer, at, idx)
) WITHOUT ROWID;
