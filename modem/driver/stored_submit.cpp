// journal = "modem": a part is written to the modem's own storage (AT+CMGW), its slot is committed by the Host, and AT+CMSS sends it from
// there (TS 27.005 §3.5.2, §4.4). The modem marks the slot "stored sent" when the network took it, so after a crash, a lost answer or a
// replug the slot says what became of it. Slots are emptied after the result is durable, and when that costs no message its time.
#include <algorithm>

#include "modem/driver/modem_impl.hpp"
#include "modem/pdu/stored.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {

constexpr std::string_view works = "ok";
constexpr std::size_t removed_per_pause = 4;  ///< slots emptied before the Host is asked for work again

bool same_message(const std::string& hex, const pdu::Octets& written) {
    const auto octets = pdu::from_hex(hex);
    return octets && pdu::stored_form(*octets) == pdu::stored_form(written);
}

}  // namespace

void Modem::Impl::store_on_host(std::string reason) {
    storing_ = Storing::no;
    status_.journal = "host";
    status_.store_memory.clear();
    status_.journal_reason = std::move(reason);
    log_.warning("journal-on-host", {{"reason", status_.journal_reason}});
    publish();
}

/// Chooses the memory for AT+CMGW: ME before SM, since a SIM's flash wears.
aio::awaitable<End> Modem::Impl::set_up_storing() {
    storing_ = Storing::no;
    status_.journal = "host";
    status_.journal_reason.clear();
    status_.store_memory.clear();
    spent_slots_.clear();  // the sweep finds them again, on whichever modem this is now
    open_slots_.clear();
    if (!settings_.journal_in_modem) co_return End::ok;
    std::string known = co_await host_.storing_of(status_.identity);
    if (known.empty() && !profile_->marks_stored_sent) known = "not-marked-sent";
    if (known.empty()) {
        const auto reply = co_await session_->run("+CMSS=?");
        if (!reply && !reply.error().is(AtErrc::timeout)) co_return end_of(reply.error());
        if (!reply || !reply->ok()) known = "cmss-refused";
    }
    if (!known.empty() && known != works) {
        store_on_host(std::move(known));
        co_return End::ok;
    }
    store_memory_.clear();
    for (const char* m : {"ME", "SM"}) {
        if (!store_memory_.empty() || std::ranges::find(writable_, m) == writable_.end()) continue;
        const std::string first = receive_store_.empty() ? m : receive_store_;
        const auto reply = co_await query("+CPMS=\"" + first + "\",\"" + m + "\"");
        if (!reply) co_return end_of(reply.error());
        const auto use = at::parse_cpms(reply->lines);
        if (!reply->ok() || (use.size() > 1 && use[1].total == 0)) continue;
        selected_ = first;
        store_memory_ = m;
        if (use.size() > 1) note_use(m, use[1].used, use[1].total);
    }
    if (store_memory_.empty()) {
        store_on_host("no-memory");
        co_return End::ok;
    }
    if (std::ranges::find(stores_, store_memory_) == stores_.end()) stores_.push_back(store_memory_);
    storing_ = known == works ? Storing::works : Storing::untried;
    status_.journal = "modem";
    status_.store_memory = store_memory_;
    co_return End::ok;
}

aio::awaitable<Result<SlotReading::Slot>> Modem::Impl::read_own_slot(StoredAt at) {
    SlotReading::Slot slot;
    slot.index = at.index;
    const Slot place{at.memory, at.index};
    const auto pdu = co_await read_slot(place);
    if (!pdu) co_return pdu.error();
    if (!*pdu) co_return slot;
    slot.state = (*pdu)->stat == 3 ? SlotReading::State::sent : SlotReading::State::unsent;
    slot.hex = (*pdu)->hex;
    co_return slot;
}

/// After the first part that the network took this way: is it still there, the same, and marked? Else the slots tell nothing.
aio::awaitable<void> Modem::Impl::learn_marking(StoredAt at, pdu::Encoded written) {
    const auto slot = co_await read_own_slot(at);
    if (!slot) co_return;  // trouble of another kind; the next part will tell
    const bool same = same_message(slot->hex, written.octets);
    const std::string word{slot->state == SlotReading::State::sent && same ? works : same ? "not-marked-sent" : "pdu-altered"};
    if (word == works) {
        storing_ = Storing::works;
    } else {
        store_on_host(word);
    }
    co_await host_.remember_storing(status_.identity, word);
}

/// The modem is asked what became of a part whose answer was lost. It has ended by now: its deadline is over, or it has answered.
aio::awaitable<void> Modem::Impl::ask_slot(SubmitOutcome& outcome) {
    bool answers = condition() == End::ok;
    if (answers && outcome.reason == "timeout") answers = co_await session_->resync(3);
    if (!answers) co_return;
    const auto slot = co_await read_own_slot(*outcome.stored);
    if (!slot || slot->state == SlotReading::State::empty) co_return;
    if (slot->state == SlotReading::State::sent) {
        log_.notice("slot-says-sent", {{"reason", outcome.reason}});
        outcome.ending = Ending::accepted;
        outcome.reason.clear();
        outcome.cms.reset();
        outcome.cme.reset();
        co_return;
    }
    // With an error of its own the modem does not know either: the network may have it (332). Only its silence is cured here.
    const bool silent = outcome.reason == "timeout" || outcome.reason == "no-reference";
    if (!silent || storing_ != Storing::works) co_return;
    log_.notice("slot-says-unsent", {{"reason", outcome.reason}});
    outcome.ending = Ending::not_sent;
    outcome.reason = "not-sent";
}

/// For one part alone when its memory is full, for good when the modem does not know the command.
aio::awaitable<SubmitOutcome> Modem::Impl::submit_without_storage(Submission submission, std::string why) {
    log_.warning("stored-not", {{"reason", why}, {"memory", store_memory_}});
    const bool full = why == "cms-322" || why == "cms-320" || why == "cme-20";
    if (storing_ != Storing::no && !full && ++store_refusals_ >= 3) store_on_host("cmgw-refused");
    const bool noted = co_await host_.note_slot(submission.token, std::nullopt);
    if (!noted) {
        SubmitOutcome none;
        none.reason = "journal-failed";
        co_return none;
    }
    co_return co_await session_->submit(std::move(submission.pdu), *profile_);
}

/// What must be done before the next part: room is made, and a part of before the restart that has ended by now is looked at.
aio::awaitable<Result<void>> Modem::Impl::make_room() {
    if (!open_slots_.empty() && BootClock::now() >= slots_due_)
        if (auto done = co_await read_open_slots(); !done) co_return done;
    if (store_half_full()) co_return co_await remove_spent(spent_slots_.size());
    co_return Result<void>{};
}

aio::awaitable<SubmitOutcome> Modem::Impl::submit_through_storage(Submission submission) {
    const auto room = co_await make_room();
    if (!room) {
        SubmitOutcome none;
        none.reason = room.error().is(AtErrc::lost) ? "port-lost" : room.error().is(AtErrc::rebooted) ? "rebooted" : "timeout";
        co_return none;
    }
    const pdu::Encoded pdu = submission.pdu;
    const auto written = co_await session_->write_stored(pdu, *profile_);
    if (written.refused) co_return co_await submit_without_storage(std::move(submission), written.reason);
    SubmitOutcome outcome;
    StoredAt at{store_memory_, written.index.value_or(-1)};
    if (!written.index) {
        outcome.reason = written.reason;
        sweep_wanted_ = sweep_wanted_ || written.reason == "timeout" || written.reason == "no-reference";
        outcome.stored = std::move(at);
        co_return outcome;
    }
    store_refusals_ = 0;
    count_slot(at.memory, +1);
    const bool noted = co_await host_.note_slot(submission.token, at);
    if (noted) {
        outcome = co_await session_->submit_stored(at.index);
    } else {
        outcome.reason = "journal-failed";
    }
    outcome.stored = at;
    if (outcome.ending == Ending::ambiguous) co_await ask_slot(outcome);
    const bool good = outcome.ending == Ending::accepted;
    if (good && storing_ == Storing::untried) co_await learn_marking(at, pdu);
    co_return outcome;
}

void Modem::Impl::count_slot(const std::string& memory, int more) {
    const auto known = std::ranges::find(status_.storage, memory, &ModemStatus::Storage::memory);
    if (known != status_.storage.end()) known->used = std::max(0, known->used + more);
}

bool Modem::Impl::store_half_full() const {
    const auto known = std::ranges::find(status_.storage, store_memory_, &ModemStatus::Storage::memory);
    return !spent_slots_.empty() && known != status_.storage.end() && known->total > 0 && known->used * 2 >= known->total;
}

/// After the Host has the result: what is settled may be emptied, what is open is read again when the modem can tell.
void Modem::Impl::note_slot_of(const SubmitOutcome& outcome) {
    if (!outcome.stored || outcome.stored->index < 0) return;
    if (outcome.ending == Ending::ambiguous) {
        open_slots_.push_back(*outcome.stored);
        slots_due_ = BootClock::now() + 80s;
    } else {
        spent_slots_.push_back(*outcome.stored);
        if (outcome.ending == Ending::accepted && !open_slots_.empty()) slots_due_ = BootClock::now();  // what was before it has ended
    }
}

aio::awaitable<Result<void>> Modem::Impl::remove_spent(std::size_t most) {
    std::vector<StoredAt> removed;
    Result<void> done;
    for (; most > 0 && !spent_slots_.empty() && done; --most) {
        const StoredAt at = spent_slots_.front();
        const auto selected = co_await select(at.memory);
        if (!selected) {
            done = selected.error();
            break;
        }
        spent_slots_.pop_front();
        Slot slot{at.memory, at.index};
        done = co_await remove(std::move(slot));
        if (done) removed.push_back(at);
        if (!done && done.error().is(AtErrc::refused)) done = {};  // the sweeps try it again
    }
    if (!removed.empty()) host_.slots_removed(std::move(removed));
    co_return done;
}

/// Idle: some slots are emptied, and open ones read again when their time has come. True when there was something to do.
aio::awaitable<Result<bool>> Modem::Impl::tend_slots() {
    bool worked = false;
    if (!open_slots_.empty() && BootClock::now() >= slots_due_) {
        worked = true;
        if (auto done = co_await read_open_slots(); !done) co_return done.error();
    }
    if (!spent_slots_.empty()) {
        worked = true;
        if (auto done = co_await remove_spent(removed_per_pause); !done) co_return done.error();
    }
    co_return worked;
}

aio::awaitable<Result<void>> Modem::Impl::read_open_slots() {
    std::map<std::string, std::vector<SlotReading::Slot>> readings;
    const auto open = std::exchange(open_slots_, {});
    slots_due_ = BootClock::now() + 80s;
    for (const StoredAt& at : open) {
        auto slot = co_await read_own_slot(at);
        if (!slot && slot.error().is(AtErrc::refused)) {  // not now
            open_slots_.push_back(at);
            continue;
        }
        if (!slot) {
            open_slots_ = open;
            co_return slot.error();
        }
        readings[at.memory].push_back(std::move(*slot));
    }
    for (auto& [memory, slots] : readings) co_await judge(memory, std::move(slots), false);
    co_return Result<void>{};
}

/// The Host settles what the slots tell and says which may go.
aio::awaitable<std::vector<SlotRuling>> Modem::Impl::judge(std::string memory, std::vector<SlotReading::Slot> slots, bool whole) {
    SlotReading reading;
    reading.by = status_.identity;
    reading.memory = memory;
    reading.whole = whole;
    reading.trusted = storing_ == Storing::works;
    reading.slots = slots;
    auto rulings = co_await host_.judge_slots(std::move(reading));
    for (std::size_t i = 0; i < slots.size() && i < rulings.size(); ++i) {
        StoredAt at{memory, slots[i].index};
        std::erase(open_slots_, at);
        const bool known = std::ranges::find(spent_slots_, at) != spent_slots_.end();
        const bool full = slots[i].state != SlotReading::State::empty;
        if (rulings[i] == SlotRuling::remove && !known && full) spent_slots_.push_back(std::move(at));
        if (rulings[i] == SlotRuling::look_again) {
            open_slots_.push_back(std::move(at));
            slots_due_ = std::min(std::max(slots_due_, BootClock::now()), BootClock::now() + 80s);
        }
    }
    co_return rulings;
}

/// What a memory holds of hosts' writing. A slot with an SMS-SUBMIT that the modem lists as received, and that no part of ours lies in, is
/// what the network or another program left: its index is in the answer. While it is not known how this modem marks ours, there is none.
aio::awaitable<Result<std::set<int>>> Modem::Impl::judge_memory(std::string memory, const Listing& found) {
    std::vector<SlotReading::Slot> own;
    std::set<int> strange;
    for (const at::StoredPdu& pdu : found.pdus) {
        const at::StoredKind kind = at::kind_of(pdu);
        if (pdu.index < 0 || pdu.hex.empty() || (kind != at::StoredKind::own && kind != at::StoredKind::submission)) continue;
        own.push_back({pdu.index, pdu.stat == 3 ? SlotReading::State::sent : SlotReading::State::unsent, pdu.hex});
        if (kind == at::StoredKind::submission && storing_ != Storing::untried) strange.insert(pdu.index);
    }
    if (own.empty() && !settings_.journal_in_modem) co_return strange;
    const auto slots = own;
    const auto rulings = co_await judge(std::move(memory), std::move(own), found.whole);
    for (std::size_t i = 0; i < slots.size(); ++i)
        if (i >= rulings.size() || rulings[i] != SlotRuling::leave) strange.erase(slots[i].index);
    co_return strange;
}

}  // namespace conductor::driver
