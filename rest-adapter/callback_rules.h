/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where callbacks may go: the configured allow list, and addresses that no callback may ever reach (a student's or a broken
 * LMS's URL must not make the adapter talk to the machine's own cloud metadata). Checked when a submission comes in, and again
 * by the courier: the URL before the call, and each address at the moment of connecting, so that a name that resolves to
 * something else then does not help.
 *
 * Never allowed: unspecified and "this network" (0.0.0.0/8, ::), link-local (169.254.0.0/16, fe80::/10), multicast,
 * broadcast and reserved (224.0.0.0/3, ff00::/8), the metadata addresses of clouds; also inside of IPv6 (mapped, compatible,
 * NAT64, 6to4). Loopback and private addresses are allowed unless the allow list leaves them out: an LMS often is there.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_CALLBACK_RULES_H
#define REST_ADAPTER_CALLBACK_RULES_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/config.h"
#include "base/status.h"

/*
 * May callbacks go to url? STATUS_OK; STATUS_INVALID, reason URL_INVALID: it is no usable URL (text says why);
 * STATUS_DENIED, reason CALLBACK_REFUSED: not in the allow list, or an address that is never allowed. error may be NULL.
 *
 * An entry of the allow list is an origin ("https://lms.example.org", "http://10.0.0.7:8000"; the scheme's port when none is
 * given), a host ("lms.example.org", "10.0.0.7", "::1"; any scheme and port), or all hosts below a domain ("*.example.org";
 * not example.org itself). Compared without regard to case. An empty list allows every host.
 */
enum status callback_rules_check(const struct config_callbacks *callbacks, const char *url, struct error *error) STATUS_CHECKED;

/* May the adapter connect to this address? Other families than IPv4 and IPv6: no. */
bool callback_rules_address_is_allowed(const struct sockaddr *address);

/* The configured credentials of origin ("https://host[:port]" as url_origin writes it), or NULL. Borrowed from callbacks. */
const struct config_basic_auth *callback_rules_basic_auth(const struct config_callbacks *callbacks, const char *origin);

/* Is the origin one whose certificate is not verified? */
bool callback_rules_is_insecure(const struct config_callbacks *callbacks, const char *origin);

#endif
