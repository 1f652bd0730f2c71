/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rest_rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "rest-adapter/http_form.h"
#include "rest-adapter/routes.h"

enum { CORE_ADDRESS_MAX = 64, OPEN_FILES_MAX = 16, HEADER_MAX = 16384 };

static char *listen_items[] = {(char *)"127.0.0.1:0"};
static char core_address[CORE_ADDRESS_MAX];
static struct config_user users[] = {{.name = (char *)SCRIPTED_CORE_OWN_USER,
                                      .password_hash = (char *)"",
                                      .password = (char *)SCRIPTED_CORE_OWN_PASSWORD,
                                      .roles = CONFIG_ROLE_DELIVER}};

static void fill_config(struct rest_rig *rig)
{
    rig->config = (struct config){.users = users, .user_count = 1};
    rig->config.rest = (struct config_rest){
        .listen = {.items = listen_items, .count = 1},
        .core = core_address,
        .token_file = "",
        .user = (char *)SCRIPTED_CORE_OWN_USER,
        .public_url = (char *)"http://adapter.example.org:8040/",
        .media_url = (char *)"",
        .file_url_ms = 3600000,
        .files = rig->folder,
        .threads = 8,
        .core_timeout_ms = 2000,
        .request_timeout_ms = 5000,
        .connections_max = 1000,
        .requests_waiting_max = 1000,
        .spool_bytes_max = 67108864,
        .form_bytes_max = 2621440,
        .form_fields_max = 1000,
        .file_bytes_max = 1000000,
        .header_bytes_max = 65536,
        .fair_by_student = true,
    };
}

static void require(enum status status, const struct error *error)
{
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "rest_rig: %s: %s\n", status_name(status), error->text);
        abort();
    }
}

void rest_rig_start(struct rest_rig *rig)
{
    struct http_server_options options = {.handler = routes_serve, .wants_body = routes_want_body, .context = &rig->adapter};
    struct error error = {0};

    memset(rig, 0, sizeof(*rig));
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    (void)snprintf(rig->folder, sizeof(rig->folder), "/tmp/xqueue-rest-XXXXXX");
    if (mkdtemp(rig->folder) == NULL) {
        perror("mkdtemp");
        abort();
    }
    fill_config(rig);
    rig->core = scripted_core_start(0);
    (void)snprintf(core_address, sizeof(core_address), "127.0.0.1:%d", scripted_core_port(rig->core));
    rig->adapter.config = &rig->config;
    require(core_client_create(&rig->config, &rig->adapter.core, &error), &error);
    rig->adapter.basic = basic_sessions_create(rig->adapter.core, &rig->config);
    require(files_open(&rig->config.rest, &rig->config.callbacks, &rig->adapter.files, &error), &error);
    options.listen = &rig->config.rest.listen;
    options.threads = rig->config.rest.threads;
    options.connections_max = rig->config.rest.connections_max;
    options.requests_waiting_max = rig->config.rest.requests_waiting_max;
    options.body_bytes_max = http_form_bytes_max(&rig->config.rest);
    options.drain_bytes_max = http_form_bytes_max(&rig->config.rest);
    options.spool_folder = rig->config.rest.files;
    options.spool_bytes_max = rig->config.rest.spool_bytes_max;
    options.request_timeout_ms = rig->config.rest.request_timeout_ms;
    require(http_server_start(&options, &rig->server, &error), &error);
    rig->port = http_server_port(rig->server, 0);
}

static int remove_entry(const char *path, const struct stat *about, int flag, struct FTW *where)
{
    (void)about;
    (void)flag;
    (void)where;
    return remove(path);
}

void rest_rig_stop(struct rest_rig *rig)
{
    http_server_stop(rig->server, 1000);
    http_server_destroy(rig->server);
    files_close(rig->adapter.files);
    basic_sessions_destroy(rig->adapter.basic);
    core_client_destroy(rig->adapter.core);
    scripted_core_destroy(rig->core);
    http_answer_finish(&rig->answer);
    (void)nftw(rig->folder, remove_entry, OPEN_FILES_MAX, FTW_DEPTH | FTW_PHYS);
}

void rest_rig_stop_core(struct rest_rig *rig)
{
    scripted_core_destroy(rig->core);
    rig->core = NULL;
}

void rest_rig_resume_core(struct rest_rig *rig)
{
    rig->core = scripted_core_start(atoi(strrchr(core_address, ':') + 1));
}

int rest_rig_ask(struct rest_rig *rig, const char *method, const char *target, const char *extra)
{
    const struct http_ask ask = {.port = rig->port, .method = method, .target = target, .extra = extra};

    return http_talk_once(&ask, &rig->answer);
}

int rest_rig_post(struct rest_rig *rig, const char *target, const char *form)
{
    return rest_rig_post_body(rig, target, REST_RIG_SESSION "Content-Type: application/x-www-form-urlencoded\r\n", form,
                              strlen(form));
}

int rest_rig_post_body(struct rest_rig *rig, const char *target, const char *extra, const char *body, size_t length)
{
    const struct http_ask ask = {
        .port = rig->port, .method = "POST", .target = target, .extra = extra, .body = body, .body_length = length};

    return http_talk_once(&ask, &rig->answer);
}

const char *rest_rig_header(struct rest_rig *rig, const char *name, size_t index)
{
    static char value[HEADER_MAX];

    return http_answer_header(&rig->answer, name, index, value, sizeof(value)) ? value : "";
}

static size_t counted_files;

static int count_entry(const char *path, const struct stat *about, int flag, struct FTW *where)
{
    (void)path;
    (void)about;
    (void)where;
    counted_files += flag == FTW_F;
    return 0;
}

size_t rest_rig_count_files(const struct rest_rig *rig)
{
    counted_files = 0;
    (void)nftw(rig->folder, count_entry, OPEN_FILES_MAX, FTW_PHYS);
    return counted_files;
}
