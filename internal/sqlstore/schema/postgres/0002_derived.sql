-- Derived tables: a cache of what directory and openings say. Every one can be
-- emptied and filled again. A list within a row is a JSON array.

CREATE TABLE last (
    obj text COLLATE "C" NOT NULL PRIMARY KEY,
    idx bigint           NOT NULL
);

CREATE TABLE statement (
    id     text COLLATE "C" NOT NULL PRIMARY KEY,
    digest text COLLATE "C" NOT NULL,
    idx    bigint           NOT NULL,
    spent  bigint           NOT NULL CHECK (spent IN (0, 1))
);

CREATE TABLE msg (
    msg      text COLLATE "C" NOT NULL PRIMARY KEY,
    idx      bigint           NOT NULL,
    at       bigint           NOT NULL,
    case_    text COLLATE "C" NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    desk     text COLLATE "C" NOT NULL,
    inst     text COLLATE "C" NOT NULL,
    basis    text COLLATE "C" NOT NULL,
    occurred bigint           NOT NULL,
    hold     bigint           NOT NULL,
    reason   text COLLATE "C" NOT NULL,
    set_     text COLLATE "C" NOT NULL,
    pack     text COLLATE "C" NOT NULL,
    subj     text COLLATE "C" NOT NULL
);
CREATE INDEX msg_case ON msg (case_, kind, idx);

CREATE TABLE msg_to (
    msg        text COLLATE "C" NOT NULL,
    desk       text COLLATE "C" NOT NULL,
    ord        bigint           NOT NULL,
    role       text COLLATE "C" NOT NULL,
    handed     bigint           NOT NULL,
    handed_idx bigint           NOT NULL,
    served     bigint           NOT NULL,
    opened     bigint           NOT NULL,
    blocked    bigint           NOT NULL,
    reason     text COLLATE "C" NOT NULL,
    PRIMARY KEY (msg, desk)
);

CREATE TABLE msg_consent (
    consent text COLLATE "C" NOT NULL,
    idx     bigint           NOT NULL,
    msg     text COLLATE "C" NOT NULL,
    PRIMARY KEY (consent, idx, msg)
);

CREATE TABLE party (
    case_ text COLLATE "C" NOT NULL,
    desk  text COLLATE "C" NOT NULL,
    inst  text COLLATE "C" NOT NULL,
    PRIMARY KEY (case_, desk)
);
CREATE INDEX party_inst ON party (case_, inst);

-- Linked handles share the least of them as their matter.
CREATE TABLE case_link (
    case_  text COLLATE "C" NOT NULL PRIMARY KEY,
    matter text COLLATE "C" NOT NULL
);
CREATE INDEX case_link_matter ON case_link (matter, case_);

CREATE TABLE consent_version (
    id   text COLLATE "C" NOT NULL,
    ver  bigint           NOT NULL,
    idx  bigint           NOT NULL,
    at   bigint           NOT NULL,
    act  text COLLATE "C" NOT NULL,
    subj text COLLATE "C" NOT NULL,
    stmt bytea            NOT NULL,
    PRIMARY KEY (id, ver)
);
CREATE INDEX consent_version_subj ON consent_version (subj, id);

CREATE TABLE conflict (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    who        text COLLATE "C" NOT NULL,
    subj       text COLLATE "C" NOT NULL,
    level      text COLLATE "C" NOT NULL,
    set_idx    bigint           NOT NULL,
    set_at     bigint           NOT NULL,
    lifted_idx bigint           NOT NULL,
    lifted_at  bigint           NOT NULL
);
CREATE INDEX conflict_who ON conflict (who, set_idx);

CREATE TABLE grant_ (
    id        text COLLATE "C" NOT NULL PRIMARY KEY,
    idx       bigint           NOT NULL,
    at        bigint           NOT NULL,
    case_     text COLLATE "C" NOT NULL,
    desk      text COLLATE "C" NOT NULL,
    subj      text COLLATE "C" NOT NULL,
    scope     text COLLATE "C" NOT NULL,
    nb        bigint           NOT NULL,
    na        bigint           NOT NULL,
    ended_idx bigint           NOT NULL,
    ended_at  bigint           NOT NULL,
    earlier   text COLLATE "C" NOT NULL
);
CREATE INDEX grant_case ON grant_ (case_, idx);
CREATE INDEX grant_desk ON grant_ (desk, idx);

-- body is the whole obligation as JSON; the other columns are for finding it.
CREATE TABLE obligation (
    o        text COLLATE "C" NOT NULL PRIMARY KEY,
    rule     text COLLATE "C" NOT NULL,
    obligor  text COLLATE "C" NOT NULL,
    obligee  text COLLATE "C" NOT NULL,
    whom     text COLLATE "C" NOT NULL, -- the person it is owed to, else the obligee
    case_    text COLLATE "C" NOT NULL,
    obj      text COLLATE "C" NOT NULL,
    trigger_ bigint           NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    occurred bigint           NOT NULL,
    due      bigint           NOT NULL,
    live     bigint           NOT NULL CHECK (live IN (0, 1)),
    body     text COLLATE "C" NOT NULL
);
CREATE INDEX obligation_obj ON obligation (obj, o);
CREATE INDEX obligation_live ON obligation (case_, live, trigger_, o);
CREATE INDEX obligation_twin ON obligation (case_, rule, kind, occurred, obligor, whom);
CREATE INDEX obligation_due ON obligation (live, due, o);
CREATE INDEX obligation_obligor ON obligation (obligor, live, due, o);
CREATE INDEX obligation_obligee ON obligation (obligee, live, due, o);

CREATE TABLE mark (
    o     text COLLATE "C" NOT NULL,
    level bigint           NOT NULL,
    idx   bigint           NOT NULL,
    PRIMARY KEY (o, level)
);

CREATE TABLE feed (
    desk   text COLLATE "C" NOT NULL,
    n      bigint           NOT NULL,
    idx    bigint           NOT NULL,
    erased bigint           NOT NULL,
    PRIMARY KEY (desk, n)
);

CREATE TABLE scope (
    case_ text COLLATE "C" NOT NULL,
    idx   bigint           NOT NULL,
    scope text COLLATE "C" NOT NULL,
    PRIMARY KEY (case_, idx, scope)
);

CREATE TABLE access (
    officer text COLLATE "C" NOT NULL,
    case_   text COLLATE "C" NOT NULL,
    day     text COLLATE "C" NOT NULL,
    idx     bigint           NOT NULL,
    PRIMARY KEY (officer, case_, day)
);

CREATE TABLE refusal (
    officer text COLLATE "C" NOT NULL,
    at      bigint           NOT NULL,
    idx     bigint           NOT NULL,
    PRIMARY KEY (officer, at, idx)
);

-- A rebuild empties these tables, so the server may delete here.
GRANT SELECT, INSERT, UPDATE, DELETE ON last, statement, msg, msg_to, msg_consent, party, case_link, consent_version,
    conflict, grant_, obligation, mark, feed, scope, access, refusal TO odziv_api;
GRANT SELECT ON last, statement, msg, msg_to, msg_consent, party, case_link, consent_version,
    conflict, grant_, obligation, mark, feed, scope, access, refusal TO odziv_audit;
