-- Runs at each TLS handshake, before a certificate is sent.

require("kcompile.certificates").serve()
