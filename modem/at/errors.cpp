#include "modem/at/errors.hpp"

#include <algorithm>
#include <array>

#include "modem/at/errors_table.hpp"

namespace conductor::at {
namespace {

using enum ErrorClass;

constexpr std::string_view may_be_out =
    "It may have gone out. It waits for a delivery report; it is sent again only where on_unknown = \"resend\".";

constexpr ErrorRow cms_unlisted_cause = {
    0, 127, transient, Scope::message, true, 2, 0, "The network refused with an unlisted cause.", advice::later};
constexpr ErrorRow cms_unlisted_me = {
    257, 511, modem, Scope::modem, false, 0, 0, "The modem failed with an unlisted error.", advice::recovery};
constexpr ErrorRow vendor = {512,          1 << 30, transient, Scope::message, true, 0, 0, "An error that only the modem's vendor knows.",
                             advice::later};
constexpr ErrorRow cme_unlisted = {0, 1 << 30, transient, Scope::message, true, 3, 0, "An unlisted error of the modem.", advice::later};
constexpr ErrorRow bare_error = {0, 0, busy, Scope::modem, true, 2, 2, "The modem refused without a number.", advice::soon};
constexpr ErrorRow mute = {0, 0, modem, Scope::modem, false, 0, 0, "The modem does not answer.", advice::recovery};
constexpr ErrorRow no_prompt = {0, 0, modem, Scope::modem, false, 0, 0, "The modem did not ask for the message's text.", advice::recovery};
constexpr ErrorRow gone = {0,
                           0,
                           modem,
                           Scope::modem,
                           false,
                           0,
                           0,
                           "The line to the modem was lost.",
                           "It takes another modem, or waits until this one is plugged in again."};

const ErrorRow* find(std::span<const ErrorRow> rows, int code) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const ErrorRow& r) { return r.first <= code && code <= r.last; });
    return row == rows.end() ? nullptr : &*row;
}

const ErrorRow& row_of_cms(int code) {
    if (const ErrorRow* row = find(cms_rows(), code)) return *row;
    if (code <= cms_unlisted_cause.last) return cms_unlisted_cause;
    return code <= cms_unlisted_me.last ? cms_unlisted_me : vendor;
}

const ErrorRow& row_of(const Failure& f) {
    switch (f.kind) {
        case FailureKind::cms: return f.code ? row_of_cms(*f.code) : bare_error;
        case FailureKind::cme: {
            if (!f.code) return bare_error;
            const ErrorRow* row = find(cme_rows(), *f.code);
            return row ? *row : cme_unlisted;
        }
        case FailureKind::plain_error: return bare_error;
        case FailureKind::timeout: return mute;
        case FailureKind::hang_up: return gone;
        case FailureKind::no_prompt: return no_prompt;
    }
    return bare_error;
}

std::string word_of(const Failure& f) {
    switch (f.kind) {
        case FailureKind::cms: return f.code ? "cms-" + std::to_string(*f.code) : "error";
        case FailureKind::cme: return f.code ? "cme-" + std::to_string(*f.code) : "error";
        case FailureKind::plain_error: return "error";
        case FailureKind::timeout: return "timeout";
        case FailureKind::hang_up: return "port-lost";
        case FailureKind::no_prompt: return "no-prompt";
    }
    return "error";
}

}  // namespace

bool is_definite(const Failure& f) {
    if (f.kind == FailureKind::no_prompt || f.phase == Phase::before_ctrl_z) return true;
    if (f.kind != FailureKind::cms || !f.code) return false;
    return (*f.code >= 1 && *f.code <= 255) || (*f.code >= 301 && *f.code <= 331);
}

bool is_sim_unusable(FailureKind kind, std::optional<int> code) {
    constexpr std::array cms = {310, 311, 312, 313, 315, 316, 772};
    constexpr std::array cme = {5, 6, 7, 10, 11, 12, 13, 15, 16};
    if (kind == FailureKind::cms) return code && std::ranges::find(cms, *code) != cms.end();
    return kind == FailureKind::cme && code && std::ranges::find(cme, *code) != cme.end();
}

Verdict classify(const Failure& f) {
    const ErrorRow& row = row_of(f);
    Verdict v{row.error_class, row.scope,   row.counts, row.tries,   std::chrono::seconds{row.first_delay},
              word_of(f),      row.meaning, row.advice, row.at_limit};
    if (is_definite(f)) return v;
    v.error_class = ambiguous;
    v.counts = true;
    v.tries = 0;
    v.first_delay = {};
    v.advice = may_be_out;
    return v;
}

}  // namespace conductor::at
