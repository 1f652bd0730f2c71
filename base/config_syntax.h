/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the texts of the configuration must look like. Each check answers NULL when text is right, else what it is not, to be
 * put behind the text: "'x' is not a listener ...". Static storage.
 *
 * Threading: pure.
 */
#ifndef BASE_CONFIG_SYNTAX_H
#define BASE_CONFIG_SYNTAX_H

#include <stdbool.h>

/* "HOST:PORT", "[IPV6]:PORT" with port 0 to 65535 (0: any free one); for gRPC also "unix:/absolute/path". */
const char *config_check_listener(const char *text);
const char *config_check_http_listener(const char *text);

/* Like a listener of gRPC, but somewhere to connect to: the port is not 0. "" is right: the default. */
const char *config_check_target(const char *text);

/* An http or https URL without user name: "https://host[:port][/path]". "" is right: none. */
const char *config_check_url(const char *text);

/* The same, or a relative one, which the original hands out as it stands: "/media/", "media/". */
const char *config_check_media_url(const char *text);

/* "https://host[:port]" and nothing behind it. */
const char *config_check_origin(const char *text);

/* An origin, a host name, or "*." and a host name. */
const char *config_check_origin_or_nothing(const char *text);
const char *config_check_queue_name(const char *text); /* 1 to 128 bytes */
const char *config_check_s3_name(const char *text);    /* of a region or bucket */
const char *config_check_s3_prefix(const char *text);  /* of objects' names */
const char *config_check_origin_pattern(const char *text);

/* An IPv4 or IPv6 address, or a network: "10.0.0.0/8". */
const char *config_check_network(const char *text);

/* What secret_password_matches understands. "" is right: none. */
const char *config_check_password_hash(const char *text);

/* Can this (right) listener be reached from this machine only: 127.*, [::1], localhost, unix? */
bool config_is_loopback(const char *listener);

#endif
