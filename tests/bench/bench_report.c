/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_report.h"

#include <jansson.h>
#include <stdlib.h>

#define BYTES_PER_MIB 1048576.0
#define BYTES_PER_KIB 1024.0
#define MS_PER_SECOND 1000.0

/* ---- medians ---- */

typedef double round_value(const struct bench_round *round);

static double raw_rate(const struct bench_round *round)
{
    return round->raw.cycles_per_second;
}

static double store_rate(const struct bench_round *round)
{
    return round->store.cycles_per_second;
}

static double tcp_rate(const struct bench_round *round)
{
    return round->tcp.cycles_per_second;
}

static double unix_rate(const struct bench_round *round)
{
    return round->unix_socket.cycles_per_second;
}

/* Of one round: what the machine does meanwhile touches both alike. */
static double tcp_ratio(const struct bench_round *round)
{
    return round->tcp.cycles_per_second / round->raw.cycles_per_second;
}

static double unix_ratio(const struct bench_round *round)
{
    return round->unix_socket.cycles_per_second / round->raw.cycles_per_second;
}

static double store_ratio(const struct bench_round *round)
{
    return round->store.cycles_per_second / round->raw.cycles_per_second;
}

static double service_cost(const struct bench_round *round)
{
    return round->tcp.service_us_per_cycle;
}

static double client_cost(const struct bench_round *round)
{
    return round->tcp.client_us_per_cycle;
}

static double resident_after(const struct bench_round *round)
{
    return (double)round->resident_bytes_after;
}

static double resident_peak(const struct bench_round *round)
{
    return (double)round->resident_bytes_peak;
}

struct spread {
    double median;
    double least;
    double most;
};

static int compare(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

static struct spread spread_of(const struct bench_report *report, round_value *value)
{
    double values[BENCH_ROUNDS_MAX] = {0};
    size_t count = report->round_count;
    for (size_t i = 0; i < count; i++) {
        values[i] = value(&report->rounds[i]);
    }
    qsort(values, count, sizeof *values, compare);
    double middle = (values[count / 2] + values[(count - 1) / 2]) / 2;
    return (struct spread){.median = middle, .least = values[0], .most = values[count - 1]};
}

static double idle_grader_bytes(const struct bench_report *report)
{
    const struct bench_idle_result *idle = &report->idle;
    return (double)(idle->resident_bytes_after - idle->resident_bytes_before) / (double)idle->graders;
}

/* ---- for people ---- */

static void print_rate(FILE *stream, const char *name, struct spread spread)
{
    (void)fprintf(stream, "  %-58s %8.0f  [%.0f..%.0f]\n", name, spread.median, spread.least, spread.most);
}

static void print_ratio(FILE *stream, const char *name, struct spread spread, const char *aim)
{
    (void)fprintf(stream, "  %-58s %8.2f  [%.2f..%.2f]  %s\n", name, spread.median, spread.least, spread.most, aim);
}

static const char *verdict(bool is_reached)
{
    return is_reached ? "reached" : "NOT reached";
}

/* Against the same without them. */
static double times(double with, double without)
{
    return without > 0 ? with / without : 0;
}

static void print_idle(const struct bench_report *report, FILE *stream)
{
    const struct bench_idle_result *idle = &report->idle;
    const struct bench_dispatch_result *with = &idle->dispatch;
    const struct bench_dispatch_result *without = &report->dispatch;
    (void)fprintf(stream, "(f) %lld graders wait on %lld connections, all there after %.1f s\n", (long long)idle->graders,
                  (long long)idle->connections, (double)idle->gather_ms / MS_PER_SECOND);
    (void)fprintf(stream, "  %-58s %8.1f\n", "    resident memory of xqueued for one, KiB",
                  idle_grader_bytes(report) / BYTES_PER_KIB);
    (void)fprintf(stream, "  %-58s %8.2f  %.2f times (d)\n", "    from Submit until the Grant, p50, ms", with->median_ms,
                  times(with->median_ms, without->median_ms));
    (void)fprintf(stream, "  %-58s %8.2f  %.2f times (d)\n", "    p99, ms", with->p99_ms, times(with->p99_ms, without->p99_ms));
    (void)fprintf(stream, "  %-58s %8.2f\n", "    worst, ms", with->worst_ms);
}

void bench_report_print(const struct bench_report *report, FILE *stream)
{
    char aim[64];
    const struct bench_dispatch_result *dispatch = &report->dispatch;
    (void)fprintf(stream, "durable life cycles a second, bodies of 1 KiB, median [least..most] of %zu rounds\n",
                  report->round_count);
    print_rate(stream, "(a) raw SQLite on this disk, groups of 32", spread_of(report, raw_rate));
    print_rate(stream, "    our store on it, groups of 32", spread_of(report, store_rate));
    print_rate(stream, "(b) xqueued over gRPC, TCP, 8 streaming graders", spread_of(report, tcp_rate));
    print_rate(stream, "    the same over a unix socket", spread_of(report, unix_rate));
    (void)fprintf(stream, "ratios, each within a round\n");
    struct spread ratio = spread_of(report, tcp_ratio);
    (void)snprintf(aim, sizeof aim, "aim: at least %.1f, %s", BENCH_AIM_RATIO, verdict(ratio.median >= BENCH_AIM_RATIO));
    print_ratio(stream, "(c) b/a, TCP", ratio, aim);
    print_ratio(stream, "    unix socket", spread_of(report, unix_ratio), "");
    print_ratio(stream, "    store alone", spread_of(report, store_ratio), "");
    (void)fprintf(stream, "processor time for one life cycle over TCP\n");
    print_rate(stream, "    xqueued, us", spread_of(report, service_cost));
    print_rate(stream, "    this load generator, us", spread_of(report, client_cost));
    (void)fprintf(stream, "(d) from Submit until the Grant is there, idle service, %lld tries\n", (long long)dispatch->tries);
    (void)fprintf(stream, "  %-58s %8.2f  aim: under %.0f, %s\n", "    p50, ms", dispatch->median_ms, BENCH_AIM_DISPATCH_MS,
                  verdict(dispatch->median_ms < BENCH_AIM_DISPATCH_MS));
    (void)fprintf(stream, "  %-58s %8.2f\n  %-58s %8.2f\n", "    p99, ms", dispatch->p99_ms, "    worst, ms",
                  dispatch->worst_ms);
    (void)fprintf(stream, "(e) resident memory of xqueued\n");
    (void)fprintf(stream, "  %-58s %8.1f\n", "    idle after the start, MiB",
                  (double)report->resident_bytes_start / BYTES_PER_MIB);
    (void)fprintf(stream, "  %-58s %8.1f\n", "    after the load, MiB",
                  spread_of(report, resident_after).median / BYTES_PER_MIB);
    (void)fprintf(stream, "  %-58s %8.1f\n", "    at most, MiB", spread_of(report, resident_peak).most / BYTES_PER_MIB);
    print_idle(report, stream);
}

/* ---- for programs ---- */

static json_t *spread_json(const struct bench_report *report, round_value *value)
{
    struct spread spread = spread_of(report, value);
    return json_pack("{s:f, s:f, s:f}", "median", spread.median, "least", spread.least, "most", spread.most);
}

static json_t *dispatch_json(const struct bench_dispatch_result *dispatch)
{
    return json_pack("{s:I, s:f, s:f, s:f}", "tries", (json_int_t)dispatch->tries, "p50", dispatch->median_ms, "p99",
                     dispatch->p99_ms, "worst", dispatch->worst_ms);
}

static json_t *idle_json(const struct bench_report *report)
{
    const struct bench_idle_result *idle = &report->idle;
    return json_pack("{s:I, s:I, s:I, s:f, s:o, s:f, s:f}", "graders", (json_int_t)idle->graders, "connections",
                     (json_int_t)idle->connections, "gather_ms", (json_int_t)idle->gather_ms, "resident_bytes_for_one",
                     idle_grader_bytes(report), "dispatch_ms", dispatch_json(&idle->dispatch), "p50_ratio",
                     times(idle->dispatch.median_ms, report->dispatch.median_ms), "p99_ratio",
                     times(idle->dispatch.p99_ms, report->dispatch.p99_ms));
}

bool bench_report_print_json(const struct bench_report *report, FILE *stream)
{
    json_t *root =
        json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rounds", (int)report->round_count, "sqlite_cycles_per_second",
                  spread_json(report, raw_rate), "store_cycles_per_second", spread_json(report, store_rate),
                  "grpc_tcp_cycles_per_second", spread_json(report, tcp_rate), "grpc_unix_cycles_per_second",
                  spread_json(report, unix_rate), "ratio", spread_json(report, tcp_ratio), "service_us_per_cycle",
                  spread_json(report, service_cost), "client_us_per_cycle", spread_json(report, client_cost));
    json_t *rest =
        json_pack("{s:o, s:o, s:{s:I, s:f, s:I}}", "dispatch_ms", dispatch_json(&report->dispatch), "idle_graders",
                  idle_json(report), "resident_bytes", "start", (json_int_t)report->resident_bytes_start, "after_load",
                  spread_of(report, resident_after).median, "peak", (json_int_t)spread_of(report, resident_peak).most);
    bool written = root && rest && json_object_update(root, rest) == 0 && json_dumpf(root, stream, JSON_INDENT(2)) == 0;
    written = fputc('\n', stream) != EOF && written;
    json_decref(rest);
    json_decref(root);
    return written;
}
