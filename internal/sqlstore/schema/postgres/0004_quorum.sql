-- Whether the witnesses that the policy asked for had cosigned when the
-- checkpoint was published. Before there were witnesses nobody was asked.
ALTER TABLE checkpoint ADD COLUMN quorum bigint NOT NULL DEFAULT 1 CHECK (quorum IN (0, 1));
