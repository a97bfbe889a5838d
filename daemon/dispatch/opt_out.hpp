#pragma once
// What an incoming text asks for: STOP, START, HELP, or a revocation in free words.
#include <string>
#include <string_view>

#include "daemon/config/config.hpp"

namespace conductor::dispatch {

enum class Wish : std::uint8_t {
    none,
    stop,    ///< one of the configured words is the whole text
    revoke,  ///< free words ("stop texting me"): suppress, and flag for review
    start,
    help,
};
/// The whole text is compared, blind to case, accents, punctuation, spaces and width. In texts that match no word, without the signature of
/// a mail program, a revocation is looked for: free words (English and Spanish) in at most 160 letters; or a configured word, also with a
/// letter doubled or two exchanged, as the first or last of a few ("stop, thanks"), unless its neighbours make something else of it.
Wish wish_of(std::string_view text, const config::OptOut& config);
/// The answer that a wish gets, {brand} filled in; empty where none is due (none, revoke gets the confirmation of stop).
/// An empty brand takes its "{brand}: " at the beginning with it.
std::string answer_to(Wish wish, const config::OptOut& config);

/// What was exchanged with a number before this wish.
struct AnswerHistory {
    static constexpr int most_a_day = 4;  ///< automatic answers to one number in 24 h: two gateways must not talk for ever
    bool opted_out = false;               ///< before the wish
    int same_last_day = 0;                ///< answers to the same wish in the last 24 h
    int all_last_day = 0;                 ///< answers to any wish in the last 24 h
};
/// The loop guard: STOP is confirmed once until START, START once until STOP, HELP once in 24 h, and never more than `most_a_day` in all.
/// The wish itself is always obeyed; this is about the answer alone.
bool may_answer(Wish wish, const AnswerHistory& history);

}  // namespace conductor::dispatch
