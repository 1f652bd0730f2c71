/* SPDX-License-Identifier: Apache-2.0 */
/* A grader in C++: right is what has the word hello in it. `XQUEUE_QUEUES=cs101 word_grader`, stopped by SIGTERM or SIGINT. */
#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include <xqueue/grader.h>

namespace
{

std::string result_for(const std::string &body)
{
    const bool is_right = body.find("hello") != std::string::npos;
    return std::string("{\"correct\": ") + (is_right ? "true" : "false") + ", \"score\": " + (is_right ? "1" : "0") +
           ", \"msg\": \"<p>" + std::to_string(body.size()) + " bytes</p>\"}";
}

// No exception may leave a handler.
void grade(xqueue_submission *submission, void *) noexcept
{
    try {
        size_t length = 0;
        const void *body = xqueue_submission_body(submission, &length);
        const std::string result = result_for(std::string(static_cast<const char *>(body), length));
        xqueue_submission_complete(submission, result.data(), result.size());
    } catch (const std::exception &problem) {
        xqueue_submission_fail(submission, XQUEUE_FAIL_TRANSIENT, problem.what(), 0);
    }
}

std::unique_ptr<xqueue_grader, decltype(&xqueue_grader_destroy)> grader(nullptr, xqueue_grader_destroy);

extern "C" void on_signal(int)
{
    xqueue_grader_stop(grader.get());
}

} // namespace

int main()
{
    if (!xqueue_is_compatible(XQUEUE_VERSION_NUMBER)) {
        std::cerr << "libxqueue-grader " << xqueue_version() << " is older than the header of this grader\n";
        return 1;
    }
    xqueue_grader_options options;
    xqueue_grader_options_init(&options);
    options.handler = grade;
    xqueue_grader *made = nullptr;
    xqueue_error error = {};
    if (xqueue_grader_create(&options, &made, &error) != XQUEUE_STATUS_OK) {
        std::cerr << error.text << '\n';
        return 1;
    }
    grader.reset(made);
    std::signal(SIGTERM, on_signal);
    std::signal(SIGINT, on_signal);
    const xqueue_status status = xqueue_grader_run(grader.get(), &error);
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGINT, SIG_DFL);
    std::cerr << xqueue_status_name(status) << ' ' << error.text << '\n';
    return status == XQUEUE_STATUS_OK ? 0 : 1;
}
