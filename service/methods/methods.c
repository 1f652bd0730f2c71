/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/methods.h"

#include <string.h>

#include "base/memory.h"

static const struct rpc_method *const services[] = {
    submissions_methods,          graders_methods,           deliveries_methods,    files_methods,        admin_queues_methods,
    admin_queue_settings_methods, admin_statistics_methods,  admin_regrade_methods, admin_backup_methods, admin_users_methods,
    admin_tokens_methods,         admin_submissions_methods, sessions_methods,      server_methods,       health_methods,
    reflection_methods,
};

static size_t methods_count(const struct rpc_method *methods)
{
    size_t count = 0;
    while (methods[count].path) {
        count++;
    }
    return count;
}

struct rpc_method *methods_join(void)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        count += methods_count(services[i]);
    }
    struct rpc_method *all = memory_allocate_array(count + 1, sizeof *all);
    size_t place = 0;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        size_t length = methods_count(services[i]);
        memcpy(all + place, services[i], length * sizeof *all);
        place += length;
    }
    return all;
}

bool methods_serve(const struct rpc_method *methods, const char *service)
{
    size_t length = strlen(service);
    for (; methods->path; methods++) {
        const char *name = methods->path + 1;
        if (methods->on_message && strncmp(name, service, length) == 0 && name[length] == '/') {
            return true;
        }
    }
    return false;
}
