/* SPDX-License-Identifier: Apache-2.0 */
#include "service/administering.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/access.h"
#include "service/grader_standing.h"
#include "service/rules/order.h"

static enum status administering_no_such_user(const char *name, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND, "USER_NOT_FOUND", "there is no user named '%s'", name);
}

enum status administering_create_user(struct queues *queues, const struct store_user *user, struct error *error)
{
    int64_t count = 0;
    enum status status = queues_stored(queues, store_count_users(queues->store, &count));
    if (status == STATUS_OK && count >= ACCESS_STORED_USERS_MAX) {
        return error_set(error, STATUS_FULL, "USERS_FULL", "there are %d users beside those of the configuration already",
                         ACCESS_STORED_USERS_MAX);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_insert_user(queues->store, user));
    }
    if (status == STATUS_EXISTS) {
        return error_set(error, status, "USER_EXISTS", "there is a user named '%s' already", user->name);
    }
    return status;
}

static enum status administering_set_hash(struct queues *queues, const struct user_change *change, struct store_user *user)
{
    if (change->password_hash[0] == '\0' || strcmp(change->password_hash, user->password_hash) == 0) {
        return STATUS_OK;
    }
    text_copy(user->password_hash, sizeof user->password_hash, change->password_hash);
    if (change->keep_sessions) {
        return queues_stored(queues, store_renew_sessions_of_user(queues->store, user->name, change->credential));
    }
    return queues_stored(queues, store_delete_sessions_of_user(queues->store, user->name));
}

enum status administering_update_user(struct queues *queues, const struct user_change *change, struct store_user *out_user,
                                      struct error *error)
{
    struct store_user user = {.created_at_ms = 0};
    enum status status = queues_stored(queues, store_find_user(queues->store, change->name, &user));
    if (status == STATUS_NOT_FOUND) {
        return administering_no_such_user(change->name, error);
    }
    if (status == STATUS_OK) {
        if (change->rights) {
            rights_finish(&user.rights);
            rights_copy(&user.rights, change->rights);
        }
        status = administering_set_hash(queues, change, &user);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_update_user(queues->store, &user));
    }
    if (status == STATUS_OK) {
        *out_user = user;
    } else {
        store_user_finish(&user);
    }
    return status;
}

enum status administering_delete_user(struct queues *queues, const char *name, struct error *error)
{
    enum status status = queues_stored(queues, store_delete_user(queues->store, name));
    if (status == STATUS_NOT_FOUND) {
        return administering_no_such_user(name, error);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_delete_sessions_of_user(queues->store, name));
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_delete_tokens_of_user(queues->store, name));
    }
    return status;
}

/* ---- tokens ---- */

static enum status administering_check_token(const struct store_token *token, const struct rights *of_user, struct error *error)
{
    if (rights_cover(of_user, &token->rights)) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID, "TOKEN_INVALID", "user '%s' does not have all the roles that the token is to have",
                     token->user);
}

enum status administering_create_token(struct queues *queues, const struct store_token *token, const struct rights *configured,
                                       struct error *error)
{
    struct store_user user = {.created_at_ms = 0};
    int64_t count = 0;
    enum status status = configured ? STATUS_OK : queues_stored(queues, store_find_user(queues->store, token->user, &user));
    if (status == STATUS_NOT_FOUND) {
        return administering_no_such_user(token->user, error);
    }
    if (status == STATUS_OK) {
        status = administering_check_token(token, configured ? configured : &user.rights, error);
        store_user_finish(&user);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_count_tokens(queues->store, token->user, &count));
    }
    if (status == STATUS_OK && count >= ACCESS_TOKENS_PER_USER_MAX) {
        return error_set(error, STATUS_FULL, "TOKENS_FULL", "user '%s' has %d tokens already: revoke some", token->user,
                         ACCESS_TOKENS_PER_USER_MAX);
    }
    return status == STATUS_OK ? queues_stored(queues, store_insert_token(queues->store, token)) : status;
}

enum status administering_revoke_token(struct queues *queues, const char *id, struct error *error)
{
    enum status status = queues_stored(queues, store_delete_token(queues->store, id));
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, "TOKEN_NOT_FOUND", "there is no token with the id '%s'", id);
    }
    return status;
}

/* ---- how everything stands ---- */

/* Queues as the store visits them, before they are counted. */
struct figures_list {
    struct queues *queues;
    struct figures *figures;
    int64_t *ids; /* of each of figures->queues; owned */
};

static void figures_add(struct figures_list *list, int64_t id, const char *name, const struct queue *queue)
{
    struct figures *figures = list->figures;
    size_t count = figures->queue_count + 1;
    figures->queues = memory_resize(figures->queues, count * sizeof *figures->queues);
    list->ids = memory_resize(list->ids, count * sizeof *list->ids);
    figures->queues[count - 1] = (struct queue_figures){.queue = queue};
    text_copy(figures->queues[count - 1].name, STORE_NAME_MAX, name);
    list->ids[count - 1] = id;
    figures->queue_count = count;
}

static void figures_on_queue(void *context, int64_t id, const char *name)
{
    struct figures_list *list = context;
    if (!queues_find_by_id(list->queues, id)) {
        figures_add(list, id, name, NULL);
    }
}

static enum status figures_list_all(struct figures_list *list)
{
    struct queues *queues = list->queues;
    for (struct list_node *node = list_first(&queues->all); node; node = list_next(&queues->all, node)) {
        const struct queue *queue = LIST_OWNER(node, struct queue, node);
        figures_add(list, queue->id, queue->settings->name, queue);
    }
    return queues_stored(queues, store_visit_queues(queues->store, figures_on_queue, list));
}

static enum status figures_list_one(struct figures_list *list, const char *name, struct error *error)
{
    int64_t id = 0;
    enum status status = queues_stored(list->queues, store_find_queue(list->queues->store, name, &id));
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, "QUEUE_NOT_FOUND", "there never was a queue named '%.128s'", name);
    }
    if (status == STATUS_OK) {
        figures_add(list, id, name, queues_find_by_id(list->queues, id));
    }
    return status;
}

static enum status figures_count(struct queues *queues, struct queue_figures *figures, int64_t id)
{
    const struct queue *queue = figures->queue;
    if (!queue) {
        return queues_stored(queues, store_count_queue(queues->store, id, &figures->counts));
    }
    figures->counts = (struct store_queue_counts){
        .ready = queue->ready_count, .leased = queue->leased_count, .delayed = queue->delayed_count, .dead = queue->dead_count};
    return STATUS_OK;
}

/* Of one set of labels; *oldest_ms becomes earlier. */
static enum status figures_find_oldest_of(struct queues *queues, int64_t id, int64_t label_set_id, int64_t *oldest_ms)
{
    for (uint32_t priority = 0; priority < ORDER_PRIORITY_END; priority++) {
        int64_t at_ms = 0;
        enum status status = store_first_of_rank(queues->store, id, label_set_id, order_rank(priority), &at_ms);
        status = queues_stored(queues, status);
        if (status == STATUS_OK) {
            *oldest_ms = at_ms < *oldest_ms ? at_ms : *oldest_ms;
        } else if (status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return STATUS_OK;
}

struct label_set_ids {
    int64_t *items; /* owned */
    size_t count;
};

static void figures_on_label_set(void *context, const struct store_label_set *set)
{
    struct label_set_ids *ids = context;
    ids->items = memory_resize(ids->items, (ids->count + 1) * sizeof *ids->items);
    ids->items[ids->count++] = set->id;
}

/* Of those whose turn it is next: who is held back by what its own student has handed in before is no sign of a queue that
 * lags. */
static enum status figures_find_oldest(struct queues *queues, struct queue_figures *figures, int64_t id)
{
    int64_t oldest_ms = INT64_MAX;
    struct label_set_ids ids = {0};
    enum status status = STATUS_OK;
    if (figures->counts.ready > 0) {
        status = queues_stored(queues, store_visit_label_sets(queues->store, id, figures_on_label_set, &ids));
    }
    if (status == STATUS_OK && figures->counts.ready > 0) {
        status = figures_find_oldest_of(queues, id, 0, &oldest_ms);
    }
    for (size_t i = 0; i < ids.count && status == STATUS_OK; i++) {
        status = figures_find_oldest_of(queues, id, ids.items[i], &oldest_ms);
    }
    memory_free(ids.items);
    figures->oldest_ready_ms = oldest_ms < queues->now_ms ? queues->now_ms - oldest_ms : 0;
    return status;
}

/* How many are ready that nobody who is here can take. */
static int64_t figures_count_stranded(const struct queues *queues, const struct queue *queue)
{
    const struct labels nothing = {0};
    int64_t labeled = 0;
    int64_t stranded = 0;
    for (struct label_set *set = label_sets_first(&queue->label_sets); set; set = label_sets_next(&queue->label_sets, set)) {
        labeled += set->ready_count;
        stranded += set->ready_count > 0 && !graders_cover(queues, queue, &set->labels) ? set->ready_count : 0;
    }
    return stranded + (graders_cover(queues, queue, &nothing) ? 0 : queue->ready_count - labeled);
}

static bool figures_are_wanted(const struct queue_figures *figures, bool asked_by_name)
{
    const struct store_queue_counts *counts = &figures->counts;
    return asked_by_name || figures->queue || counts->ready + counts->leased + counts->delayed > 0;
}

/* Those not configured any more that hold nothing live are left out. */
static enum status figures_fill(struct figures_list *list, bool asked_by_name)
{
    struct figures *figures = list->figures;
    size_t kept = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < figures->queue_count && status == STATUS_OK; i++) {
        status = figures_count(list->queues, &figures->queues[i], list->ids[i]);
        if (status == STATUS_OK && figures->queues[i].queue) {
            figures->queues[i].stranded = figures_count_stranded(list->queues, figures->queues[i].queue);
        }
        if (status == STATUS_OK) {
            status = figures_find_oldest(list->queues, &figures->queues[i], list->ids[i]);
        }
        if (status == STATUS_OK && figures_are_wanted(&figures->queues[i], asked_by_name)) {
            figures->queues[kept++] = figures->queues[i];
        }
    }
    figures->queue_count = kept;
    return status;
}

enum status administering_read_figures(struct queues *queues, const char *queue, struct figures *out_figures,
                                       struct error *error)
{
    struct figures figures = {.grader_count = queues->sessions.count};
    struct figures_list list = {.queues = queues, .figures = &figures};
    bool asked_by_name = queue[0] != '\0';
    enum status status = asked_by_name ? figures_list_one(&list, queue, error) : figures_list_all(&list);
    if (status == STATUS_OK) {
        status = figures_fill(&list, asked_by_name);
    }
    if (status == STATUS_OK) {
        status = queues_stored(queues, store_count_deliveries(queues->store, &figures.deliveries));
    }
    memory_free(list.ids);
    if (status == STATUS_OK) {
        *out_figures = figures;
    } else {
        figures_finish(&figures);
    }
    return status;
}

void figures_finish(struct figures *figures)
{
    memory_free(figures->queues);
    figures->queues = NULL;
}

/* ---- who is connected ---- */

static void grader_view_fill(struct grader_view *view, const struct work_session *session, int64_t now_ms)
{
    text_copy(view->name, sizeof view->name, session->grader->name);
    text_copy(view->instance, sizeof view->instance, session->instance);
    text_copy(view->sdk, sizeof view->sdk, session->sdk);
    text_copy(view->peer, sizeof view->peer, session->peer);
    view->queues = memory_allocate_array(session->place_count, sizeof *view->queues);
    view->queue_count = session->place_count;
    for (size_t i = 0; i < session->place_count; i++) {
        view->queues[i] = session->places[i].queue->settings->name;
    }
    view->labels = labels_copy(&session->labels);
    view->slots = session->slots;
    view->credit = session->credit;
    view->in_flight = (int64_t)session->grader->leases.count;
    view->connected_at_ms = session->connected_at_ms;
    view->heard_at_ms = session->heard_at_ms;
    view->quiet_for_ms = grader_quiet_for_ms(session->grader, now_ms);
}

enum status administering_list_graders(struct queues *queues, const char *name, struct grader_views *out_views,
                                       struct error *error)
{
    struct queue *queue = NULL;
    if (name[0] != '\0') {
        enum status status = queues_find_named(queues, name, &queue, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    struct grader_views views = {.items = memory_allocate_array(queues->sessions.count, sizeof *views.items)};
    for (struct list_node *node = list_first(&queues->sessions); node; node = list_next(&queues->sessions, node)) {
        const struct work_session *session = LIST_OWNER(node, struct work_session, node);
        if (!queue || work_session_grades(session, queue)) {
            grader_view_fill(&views.items[views.count++], session, queues->now_ms);
        }
    }
    *out_views = views;
    return STATUS_OK;
}

void grader_views_finish(struct grader_views *views)
{
    for (size_t i = 0; i < views->count; i++) {
        memory_free(views->items[i].queues);
        labels_finish(&views->items[i].labels);
    }
    memory_free(views->items);
    *views = (struct grader_views){0};
}
