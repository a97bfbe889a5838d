#pragma once
// The go of Supabase (gw_begin_v1) for claimed rows: asked for one message a modem ahead, while the submission before it is in flight, so
// that no modem waits for the network; and for one more that is too long for the room the SIMs have. What Supabase takes back ends here
// with its reason. While nobody can be asked, the rows that may do without (alone in the pool) go on, and the others wait. An answer that
// does not come in 3 s is asked for again on a new connection, and then once more in all the time that a slow server needs; meanwhile
// nobody can be asked. While a server is known to be slow it has that time at once.
#include <climits>
#include <memory>
#include <string>
#include <vector>

#include "daemon/service/shared.hpp"
#include "sync/client/client.hpp"

namespace conductor::service {

/// A row that a modem could take now, if Supabase says go.
struct GoCandidate {
    MessageId id;
    sync::BeginItem item;
};
struct GoRequest {
    struct Modem {
        ModemIndex index = 0;
        bool idle = false;                        ///< it found nothing: what is ahead is not for it
        int room = INT_MAX, most_room = INT_MAX;  ///< parts that the limits of its SIM allow now (0 counts as 1), and ever allow at once
    };
    std::vector<Modem> modems;  ///< up, and their SIMs may send a part, now or soon
    bool paused = false;        ///< the queue: replies alone
    bool offline = false;       ///< nobody can be asked: only rows that may do without
    std::shared_ptr<Granted> granted;
    WallTime now{};
};
struct GoBatch {
    std::vector<GoCandidate> rows;  ///< at most one a modem
    std::vector<Changed> changed;   ///< looked at and parked, or ended, by the policy
};
/// The best row for every modem that has none ahead. The policy is asked first: what may not go out now is not begun. A row that is too
/// long for the room of every modem that takes it is begun too, one a modem at most, and counts for nobody: shorter ones may pass it.
GoBatch choose_for_go(store::Tx& tx, const Env& env, GoRequest request);

struct GoRuling {
    GoCandidate row;
    std::string refusal;  ///< as in sync::BeginAnswer; empty: go
};
struct GoApplied {
    std::vector<Changed> changed;
    std::vector<std::uint64_t> lanes;  ///< of the rows that may go now
};
/// Adds those that may go to `granted`; writes nothing. A row that changed meanwhile (cancelled, claimed afresh) is left as it is.
GoApplied grant(store::Tx& tx, const std::vector<GoRuling>& rulings, Granted& granted);
/// Ends what was taken back.
GoApplied take_back(store::Tx& tx, const Env& env, const std::vector<GoRuling>& rulings, WallTime now);
/// This box is fenced: gives back those that may go and have not begun, so that they are not unknown where nobody sent them.
GoApplied give_back(store::Tx& tx, const Env& env, const std::vector<GoRuling>& rulings, WallTime now);

/// Whether Supabase can be asked.
enum class Link : std::uint8_t {
    greeting,  ///< not known yet: nothing is begun
    up,
    away,
    fenced  ///< a newer box has this identity: nothing goes out any more
};

class GoAhead {
public:
    GoAhead(Context& context, Shared& shared, sync::Client& client);
    aio::awaitable<void> run();
    /// Run beside it: asks once more for what had no answer.
    aio::awaitable<void> insist();
    void set_link(Link link);
    /// Asks for the go of these rows, and does what is answered. Without an answer the offline rule lets those go that may.
    aio::awaitable<void> ask(std::vector<GoCandidate> rows);
    std::uint64_t asked() const { return asked_; }      ///< calls of gw_begin_v1
    std::uint64_t refused() const { return refused_; }  ///< rows that it took back
    std::uint64_t unasked() const { return unasked_; }  ///< rows let go while nobody could be asked

private:
    aio::awaitable<void> round(WallTime now);
    bool away() const;
    GoRequest request(WallTime now) const;
    void unreachable();
    bool hardly_in_time(Instant asked_at) const;
    void note_slow(bool slow);
    aio::awaitable<Result<std::vector<GoRuling>>> answers_to(std::vector<GoCandidate> rows, sync::Patience patience);
    aio::awaitable<void> go_without(std::vector<GoCandidate> rows);
    aio::awaitable<void> apply(std::vector<GoRuling> rulings);
    aio::awaitable<void> let_go(std::vector<GoRuling> rulings);

    Context& context_;
    Shared& shared_;
    sync::Client& client_;
    Log log_;
    Link link_ = Link::greeting;
    Instant not_before_{};                 ///< a call failed: nobody is asked until then
    Instant slow_until_{};                 ///< the server took its time, a moment ago: its answer is waited for
    std::vector<GoCandidate> unanswered_;  ///< asked for once more, and nothing else meanwhile
    aio::Event insist_;
    std::uint64_t asked_ = 0, refused_ = 0, unasked_ = 0;
};

}  // namespace conductor::service
