"""Properties that shape what nginx serves: logs, listeners, TLS, injected directives."""

from __future__ import annotations

from compiler.catalog.properties_shape import (
    boolean,
    choice,
    http_and_stream,
    integer,
    items,
    number,
    switch,
    text,
)

_LOG_LEVELS = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")
_CONTENT_TYPES = ("application/json", "application/xml", "text/html", "text/plain")
_BOTH_TLS = "TLSv1.2 TLSv1.3"

LOGS = (
    choice("log_level", default="notice", choices=_LOG_LEVELS),
    text("proxy_access_log", default="logs/access.log"),
    text("proxy_error_log", default="logs/error.log"),
    text("proxy_stream_access_log", default="logs/access.log basic"),
    text("proxy_stream_error_log", default="logs/error.log"),
    text("admin_access_log", default="logs/admin_access.log"),
    text("admin_error_log", default="logs/error.log"),
    text("admin_gui_access_log", default="logs/admin_gui_access.log"),
    text("admin_gui_error_log", default="logs/admin_gui_error.log"),
    text("status_access_log", default="off"),
    text("status_error_log", default="logs/status_error.log"),
)

LISTENERS = (
    items(
        "proxy_listen",
        default="0.0.0.0:8000 reuseport backlog=16384, "
        "0.0.0.0:8443 http2 ssl reuseport backlog=16384",
    ),
    items("stream_listen", default="off"),
    items(
        "admin_listen",
        default="127.0.0.1:8001 reuseport backlog=16384, "
        "127.0.0.1:8444 http2 ssl reuseport backlog=16384",
    ),
    items("admin_gui_listen", default="0.0.0.0:8002, 0.0.0.0:8445 ssl"),
    items(
        "status_listen",
        default="off",
        changed=(((3, 6), "127.0.0.1:8007 reuseport backlog=16384"),),
    ),
    items("cluster_listen", default="0.0.0.0:8005"),
    items("port_maps"),
)

TLS = (
    items("ssl_cert"),
    items("ssl_cert_key", sensitive=True),
    items("admin_ssl_cert"),
    items("admin_ssl_cert_key", sensitive=True),
    items("admin_gui_ssl_cert"),
    items("admin_gui_ssl_cert_key", sensitive=True),
    items("status_ssl_cert"),
    items("status_ssl_cert_key", sensitive=True),
    boolean("client_ssl", default="off"),
    text("client_ssl_cert"),
    text("client_ssl_cert_key", sensitive=True),
    choice(
        "ssl_cipher_suite",
        default="intermediate",
        choices=("modern", "intermediate", "old", "fips", "custom"),
    ),
    text("ssl_ciphers"),
    text("ssl_protocols", default=_BOTH_TLS, directives=http_and_stream("ssl_protocols")),
    switch(
        "ssl_prefer_server_ciphers",
        default="on",
        directives=http_and_stream("ssl_prefer_server_ciphers"),
    ),
    text("ssl_dhparam", directives=http_and_stream("ssl_dhparam")),
    switch("ssl_session_tickets", default="on", directives=http_and_stream("ssl_session_tickets")),
    text("ssl_session_timeout", default="1d", directives=http_and_stream("ssl_session_timeout")),
    text("ssl_session_cache_size", default="10m"),
    items("lua_ssl_trusted_certificate", default="system"),
    # Patch releases raise it: see `compiler.catalog.properties`.
    integer("lua_ssl_verify_depth", default="1"),
    text("lua_ssl_protocols", default=_BOTH_TLS, directives=http_and_stream("lua_ssl_protocols")),
    boolean("tls_certificate_verify", default="off", since=(3, 13), changed=(((3, 14), "on"),)),
)

TRAFFIC = (
    items(
        "headers",
        default="server_tokens, latency_tokens",
        changed=(((3, 5), "server_tokens, latency_tokens, x-kong-request-id"),),
    ),
    items("headers_upstream", default="x-kong-request-id", since=(3, 5)),
    items("trusted_ips"),
    text("real_ip_header", default="X-Real-IP", stands_for="nginx_proxy_real_ip_header"),
    switch("real_ip_recursive", default="off", stands_for="nginx_proxy_real_ip_recursive"),
    text("client_body_buffer_size", default="8k"),
    choice("error_default_type", default="text/plain", choices=_CONTENT_TYPES),
    text("error_template_html"),
    text("error_template_json"),
    text("error_template_xml"),
    text("error_template_plain"),
    integer("upstream_keepalive_pool_size", default="60", changed=(((3, 5), "512"),)),
    integer(
        "upstream_keepalive_max_requests",
        default="100",
        changed=(((3, 5), "1000"), ((3, 6), "10000")),
    ),
    number("upstream_keepalive_idle_timeout", default="60"),
    boolean("allow_debug_header", default="off"),
    boolean("request_debug", default="on", since=(3, 5)),
    text("request_debug_token", since=(3, 5), sensitive=True),
)

PROCESSES = (
    text("nginx_user", default="kong kong", stands_for="nginx_main_user"),
    switch("nginx_daemon", default="on", stands_for="nginx_main_daemon"),
    text("nginx_worker_processes", default="auto", stands_for="nginx_main_worker_processes"),
    text("mem_cache_size", default="128m"),
    integer("worker_events_max_payload", default="65535"),
    integer("lua_socket_pool_size", default="30", changed=(((3, 5), "256"),)),
    text("lua_package_path", default="./?.lua;./?/init.lua;"),
    text("lua_package_cpath", default=""),
    integer("lua_max_req_headers", default="100"),
    integer("lua_max_resp_headers", default="100"),
    integer("lua_max_uri_args", default="100"),
    integer("lua_max_post_args", default="100"),
)

INJECTED = (
    text("nginx_main_daemon", default="on"),
    text("nginx_main_user", default="kong kong"),
    text("nginx_main_worker_processes", default="auto"),
    text("nginx_main_worker_rlimit_nofile", default="auto"),
    text("nginx_events_worker_connections", default="auto"),
    text("nginx_events_multi_accept", default="on"),
    text("nginx_http_charset", default="UTF-8"),
    text("nginx_http_client_max_body_size", default="0"),
    text("nginx_http_client_body_buffer_size", default="8k"),
    text("nginx_http_keepalive_requests", default="1000", changed=(((3, 6), "10000"),)),
    text("nginx_http_lua_regex_match_limit", default="100000"),
    text("nginx_http_lua_regex_cache_max_entries", default="8192"),
    text("nginx_http_ssl_protocols"),
    text("nginx_http_ssl_prefer_server_ciphers"),
    text("nginx_http_ssl_dhparam"),
    text("nginx_http_ssl_session_tickets"),
    text("nginx_http_ssl_session_timeout"),
    text("nginx_http_lua_ssl_protocols"),
    text("nginx_stream_ssl_protocols"),
    text("nginx_stream_ssl_prefer_server_ciphers"),
    text("nginx_stream_ssl_dhparam"),
    text("nginx_stream_ssl_session_tickets"),
    text("nginx_stream_ssl_session_timeout"),
    text("nginx_stream_lua_ssl_protocols"),
    text("nginx_proxy_real_ip_header", default="X-Real-IP"),
    text("nginx_proxy_real_ip_recursive", default="off"),
    text("nginx_admin_client_max_body_size", default="10m"),
    text("nginx_admin_client_body_buffer_size", default="10m"),
)

NGINX_PROPERTIES = (*LOGS, *LISTENERS, *TLS, *TRAFFIC, *PROCESSES, *INJECTED)
"""Every property of this file."""
