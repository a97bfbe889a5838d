-- AT+CPIN was answered with OK, and the SIM was not seen open yet: the modem may have restarted in between.
ALTER TABLE pins ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
