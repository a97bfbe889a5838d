-- What became of a try: 0 not known, 1 AT+CPIN was answered with OK and the SIM was not seen open since, 2 refused. Of older tries it was
-- not kept.
ALTER TABLE pins ADD COLUMN outcome INTEGER NOT NULL DEFAULT 2 CHECK (outcome IN (0, 1, 2));
