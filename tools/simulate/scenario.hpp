#pragma once
// One seed: a gateway with a configuration, producers, recipients and faults, all of them chance's; and what must hold whatever happened.
#include <map>
#include <set>

#include "tools/simulate/world.hpp"

namespace conductor::simulate {

struct ScenarioOptions {
    std::uint64_t seed = 1;
    bool crashes = true, disk_faults = true, modem_faults = true, clock_faults = true;
    bool print = false;
};

/// What the producers and the recipients know: the world's side of the story.
struct Ledger {
    /// A message that a producer wants to be sent, asked for until an answer came.
    struct Wish {
        int number = 0;  ///< of this wish: its text is made of it
        NewMessage message;
        std::optional<MessageId> id;  ///< accepted
        std::string refusal;          ///< or refused
        int rounds = 1;               ///< times that somebody asked for it to be sent
        bool asking = false, consented = true;
        bool answered() const { return id || !refusal.empty(); }
    };
    struct Inbound {
        std::string from, text;
        int times = 1;
    };
    std::vector<Wish> wishes;
    std::map<std::pair<std::string, std::string>, int> inbound;  ///< sender and text: how often
    std::map<std::string, WallTime> stopped;                     ///< numbers that said STOP, or were opted out; when it was asked
    std::set<std::string> returned;                              ///< numbers that said START afterwards
    std::set<std::string> without_consent;
    std::set<std::string> odd;        ///< numbers whose network or phone does not just deliver and report
    bool calm = false;                ///< no fault at all: then everything has to be known
    std::vector<std::string> broken;  ///< what was found on the way
};

struct Outcome {
    std::vector<std::string> broken;  ///< sentences; empty: everything held
    std::deque<std::string> trace;    ///< kept when something broke
    int wishes = 0, submissions = 0, crashes = 0;
    std::map<std::string, int> ended;  ///< messages by final state
    std::uint64_t handlers = 0, disk_faults = 0;
    std::chrono::minutes simulated{0};
};

Outcome run(const ScenarioOptions& options);

/// The text of wish `number`, as long as `parts` parts: its mark is in each of them.
std::string text_of(int number, int parts);
/// The wish whose mark is in this text; -1 when none is.
int mark_of(std::string_view text);

/// Holds the database and the network against the ledger, after everything has settled.
std::vector<std::string> judge(World& world, const Ledger& ledger);

}  // namespace conductor::simulate
