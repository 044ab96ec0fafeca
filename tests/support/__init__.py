"""The test rig: certificates, nginx engines, upstreams and clients that really talk TLS."""
