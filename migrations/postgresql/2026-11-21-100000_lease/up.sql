-- Which of several servers leads: whoever wrote the highest epoch, until `expires_at` on the database's own clock
-- (milliseconds since the epoch). Others reach it at `address`, over TLS, knowing its certificate and secret.
CREATE TABLE lease (
  one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
  epoch BIGINT NOT NULL,
  holder TEXT NOT NULL,
  address TEXT NOT NULL,
  certificate BYTEA NOT NULL,
  secret BYTEA NOT NULL,
  expires_at BIGINT NOT NULL
);
INSERT INTO lease (one, epoch, holder, address, certificate, secret, expires_at) VALUES (1, 0, '', '', '', '', 0);

-- A known text under the key that seals secrets: all servers of one database need the same key.
ALTER TABLE instance ADD COLUMN key_check BYTEA;
