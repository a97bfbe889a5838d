// What a modem needs beside messages: the link of a message's parts, calls hung up, memories compared, and what is done when it is idle.
#include <algorithm>

#include "daemon/core/wall_clock.hpp"
#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {
constexpr auto settled = 3s;        ///< without a submission, before the settings are audited
constexpr auto quiet = 10s;         ///< without a submission, before the balance is asked for
constexpr auto one_call = 8s;       ///< RINGs that are closer together are one call, unless +CLIP says other; 6 s is the longest cadence
constexpr auto clip_limit = 300ms;  ///< +CLIP comes that soon behind RING
constexpr auto same_ring = 1500ms;  ///< what comes sooner behind the answer to ATH was said before it: RING and +CRING of one ring
}  // namespace

/// AT+CMMS=1 ends by itself when the next part comes too late (TS 27.005 §3.5.6), so it is given again then (row 47). What the modem
/// refuses is not asked of it again; 2, the permanent form, is never given.
aio::awaitable<Result<void>> Modem::Impl::keep_link() {
    if (link_refused_ || profile_->keep_link != profile::KeepLink::once) co_return Result<void>{};
    if (mid_message_ && BootClock::now() < link_until_) co_return Result<void>{};
    const auto kept = co_await tell("+CMMS=1");
    if (!kept) co_return kept.error();
    link_refused_ = !*kept;
    link_until_ = *kept ? BootClock::now() + profile_->link_window : Instant{};
    co_return Result<void>{};
}

/// All that rang since the last look, hung up once. +CLIP comes behind RING, also behind each one; another number, or a pause, is another
/// call.
aio::awaitable<Result<void>> Modem::Impl::take_rings(std::vector<at::Ring> rings) {
    const auto is_caller = [](const at::Urc& urc) {
        return std::holds_alternative<at::Ring>(urc) && !std::get<at::Ring>(urc).number.empty();
    };
    const bool known = std::ranges::any_of(rings, [](const at::Ring& ring) { return !ring.number.empty(); });
    const Instant now = BootClock::now(), patience = now + clip_limit;
    const bool goes_on = rang_at_ != Instant{} && now - rang_at_ < one_call;
    const bool may_tell = tells_callers_ && (!goes_on || !caller_.empty());  // it told each time so far
    while (!known && may_tell && BootClock::now() < patience && condition() == End::ok) {
        const auto found = std::ranges::find_if(inbox_->urcs, is_caller);
        if (found != inbox_->urcs.end()) {
            rings.push_back(std::get<at::Ring>(*found));
            inbox_->urcs.erase(found);
            break;
        }
        co_await session_->listen_until(patience);
    }
    if (!goes_on) {
        ++status_.calls;
        caller_.clear();
        hung_up_at_ = {};
    }
    rang_at_ = now;
    bool told = goes_on;
    for (const at::Ring& ring : rings) {
        if (ring.number.empty() || ring.number == caller_) continue;
        if (!caller_.empty()) {
            ++status_.calls;
            hung_up_at_ = {};
        }
        caller_ = ring.number;
        note_call(caller_);
        told = true;
    }
    if (!told) note_call("");
    publish();
    const bool just_done = hung_up_at_ != Instant{} && now - hung_up_at_ < same_ring;
    if (just_done) co_return Result<void>{};
    co_return co_await hang_up();
}

void Modem::Impl::note_call(const std::string& number) {
    log_.info("call-refused", {{"from", masked(number)}, {"calls", status_.calls}});
    host_.noted("call-refused", number.empty() ? "an incoming call was hung up; its number was not told"
                                               : "an incoming call from " + number + " was hung up");
}

/// ATH ends a call unless AT+CVHU=1 makes the modem ignore it, and then it says OK all the same (TS 27.007 §6.20): a call that rings on
/// gets the next form, and the form that helped is kept.
aio::awaitable<Result<void>> Modem::Impl::hang_up() {
    if (hung_up_at_ != Instant{}) hang_up_form_ = (hang_up_form_ + 1) % 3;
    Result<bool> hung_up = false;
    for (std::size_t tried = 0; tried < 3 && hung_up && !*hung_up; ++tried) {
        if (tried > 0) hang_up_form_ = (hang_up_form_ + 1) % 3;
        if (hang_up_form_ == 2) co_await tell("+CVHU=0");
        hung_up = co_await tell(hang_up_form_ == 1 ? "+CHUP" : "H");
    }
    hung_up_at_ = BootClock::now();
    if (!hung_up) co_return hung_up.error();
    co_return Result<void>{};
}

/// A clock that never was set says a time before this program was made; AT+CTZU=1 lets the network set it from then on (TS 27.007 §8.40).
aio::awaitable<Result<void>> Modem::Impl::read_clock() {
    const auto lines = co_await ask("+CCLK?");
    if (!lines) co_return lines.error();
    const auto time = at::parse_clock(*lines);
    clock_wanted_ = !registered();
    if (time && *time >= program_made) {
        if (registered()) host_.clock_read(*time);
        co_return Result<void>{};
    }
    if (lines->empty() || network_time_asked_) co_return Result<void>{};
    network_time_asked_ = true;
    const auto asked = co_await tell("+CTZU=1");
    if (!asked) co_return asked.error();
    co_return Result<void>{};
}

aio::awaitable<Result<std::optional<int>>> Modem::Impl::count_in(std::string memory) {
    selected_.clear();
    const auto done = co_await select(memory);
    if (!done) co_return done.error();
    const auto known = std::ranges::find(status_.storage, memory, &ModemStatus::Storage::memory);
    std::optional<int> used;
    if (*done && known != status_.storage.end()) used = known->used;
    co_return used;
}

/// SM and ME are one memory under two names on some modems (row 73): where both hold as many messages, emptying the one shows whether the
/// other empties with it. Until both hold something there is nothing to tell them apart by.
aio::awaitable<Result<void>> Modem::Impl::find_one_store() {
    const auto has = [&](const char* m) { return std::ranges::find(stores_, m) != stores_.end(); };
    if (!has("SM") || !has("ME")) co_return Result<void>{};
    const auto sim = co_await count_in("SM");
    if (!sim) co_return sim.error();
    const auto device = co_await count_in("ME");
    if (!device) co_return device.error();
    if (!*sim || !*device) co_return Result<void>{};  // refused now: no verdict
    if (*sim != *device) stores_compared_ = true;
    if (*sim != *device || **sim == 0) co_return Result<void>{};
    const std::string kept = receive_store_ == "ME" ? "ME" : "SM", other = kept == "SM" ? "ME" : "SM";
    if (auto done = co_await sweep_memory(kept, true); !done) co_return done;
    const auto kept_left = co_await count_in(kept);
    if (!kept_left) co_return kept_left.error();
    const auto other_left = co_await count_in(other);
    if (!other_left) co_return other_left.error();
    if (!*kept_left || !*other_left || **kept_left >= **sim) co_return Result<void>{};  // nothing could be deleted: no proof
    stores_compared_ = true;
    if (**other_left >= **device) co_return Result<void>{};
    std::erase(stores_, other);
    std::erase_if(status_.storage, [&](const ModemStatus::Storage& s) { return s.memory == other; });
    status_.one_store = "SM = ME";
    log_.notice("stores-are-one", {{"kept", kept}});
    host_.noted("stores-are-one", "SM and ME are one memory; it is read as " + kept);
    co_return Result<void>{};
}

/// Full is a state: nothing can arrive, and what cannot be deleted needs a person.
void Modem::Impl::show_ready() {
    const auto full = std::ranges::find_if(status_.storage, [](const ModemStatus::Storage& s) { return s.full(); });
    if (full == status_.storage.end()) return set(ModemState::ready);
    std::string text =
        "The memory " + full->memory + " is full (" + std::to_string(full->total) + " messages), so nothing new can arrive. ";
    const std::string by_hand = ": clear it by hand (conductorctl modem at " + std::to_string(settings_.index) + " 'AT+CMGD=1,4').";
    if (full->stuck > 0)
        text += std::to_string(full->stuck) + " of them cannot be read, or are stored here and the modem refuses to delete them" + by_hand;
    else if (full->foreign > 0)
        text += std::to_string(full->foreign) + " of them are drafts or sent messages that another program left there" + by_hand;
    else
        text += "It is emptied as soon as the messages are stored here.";
    set(ModemState::ready, "storage-full", std::move(text));
}

Instant Modem::Impl::care_due() const {
    Instant due = Instant::max();
    if (audit_wanted_) due = busy_at_ + settled;
    if (status_.ussd_open) due = std::min(due, ussd_until_);
    if (balance_until_ != Instant{}) due = std::min(due, balance_until_);
    if (registered() && !status_.ussd_open && balance_until_ == Instant{})
        due = std::min(due, std::max(host_.balance_due(), busy_at_ + quiet));
    return due;
}

/// One thing at a time, so that a message never waits for more than one of them.
aio::awaitable<Result<void>> Modem::Impl::care() {
    const Instant now = BootClock::now();
    if (audit_wanted_ && now >= busy_at_ + settled) {
        const auto audited = co_await audit_settings();
        if (!audited) co_return audited.error();
        co_return co_await read_clock();
    }
    if (balance_until_ != Instant{} && now >= balance_until_) {
        balance_came(fail(AtErrc::timeout, "ussd"));
        co_return Result<void>{};
    }
    if (status_.ussd_open && now >= ussd_until_) {
        status_.ussd_open = false;
        log_.notice("ussd-session-ended", {{"by", "time"}});
        const auto ended = co_await tell("+CUSD=2");
        if (!ended) co_return ended.error();
        publish();
        co_return Result<void>{};
    }
    co_return co_await ask_balance();
}

}  // namespace conductor::driver
