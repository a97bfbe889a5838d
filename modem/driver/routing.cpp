// How messages and reports reach us (TS 27.005 §3.4): handed over and acknowledged, stored, or handed over and forgotten.
#include <algorithm>
#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {

constexpr int none_expected = 340;  ///< +CMS ERROR: no +CNMA acknowledgement expected
constexpr int most_missed = 5;      ///< in a row, before a form that once worked is believed no more
/// After a bring-up: a PDU that was handed over before it, to nobody, makes the modem end the routing when its time is over (12-20 s).
constexpr std::array<std::chrono::seconds, 5> rechecks{2s, 5s, 10s, 20s, 40s};

int field(std::string_view indications, std::size_t i) {
    const std::size_t at = 2 * i;  // one digit each
    return at < indications.size() ? indications[at] - '0' : 0;
}

}  // namespace

std::string_view to_string(Routing r) {
    switch (r) {
        case Routing::acknowledged: return "acknowledged";
        case Routing::stored: return "stored";
        case Routing::plain: return "plain";
    }
    return "?";
}

/// False when the modem forgot +CNMI. Where it ended the routing alone that is noted, and mended by mend_routing().
aio::awaitable<bool> Modem::Impl::indications_hold(bool just_set) {
    const auto lines = co_await ask("+CNMI?");
    co_return !lines || are_kept(*lines, just_set);  // silence is another trouble's business
}

bool Modem::Impl::are_kept(const Lines& indications, bool just_set) {
    const auto now = at::parse_numbers(indications);
    if (now.size() < 4 || indications_.size() < 4 || std::equal(now.begin(), now.begin() + 4, indications_.begin())) return true;
    // TS 27.005 §3.4.4: after an acknowledgement that it missed, the modem has set <mt> and <ds> to 0, and nothing else
    if (!just_set && routing_ == Routing::acknowledged && now[0] == indications_[0] && now[1] == 0 && now[3] == 0) {
        routing_ended_ = true;
        return true;
    }
    return false;
}

/// A modem accepts what it advertises and forgets it, or refuses combinations (row 77): so each rung is read back.
aio::awaitable<Result<bool>> Modem::Impl::try_indications(Routing routing, bool any) {
    const auto service = co_await tell(routing == Routing::acknowledged ? "+CSMS=1" : "+CSMS=0");
    if (!service) co_return service.error();
    if (routing == Routing::acknowledged && !*service) co_return false;
    for (const std::string_view listed : profile_->indications) {
        const int ds = field(listed, 3);
        if (!any && ds != (routing == Routing::stored ? 2 : 1)) continue;
        std::string value{listed};
        if (receive_store_.empty() && value.size() > 2) value[2] = '2';  // nowhere to store a message: it is handed over too
        const auto done = co_await tell("+CNMI=" + value);
        if (!done) co_return done.error();
        if (!*done) continue;
        const Lines as_line{"+CNMI: " + value};
        indications_ = at::parse_numbers(as_line);
        indications_text_ = value;
        routing_ = ds == 2 ? Routing::stored : routing;
        const bool hold = co_await indications_hold(true);
        if (hold) co_return true;
    }
    indications_.clear();
    indications_text_.clear();
    co_return false;
}

bool Modem::Impl::had_indications() {
    const Lines found{"+CNMI: " + found_["CNMI"]};
    const auto were = at::parse_numbers(found);  // four or five of them: the modem's own idea of the last one
    return were.size() >= 4 && indications_.size() >= 4 && std::equal(were.begin(), were.begin() + 4, indications_.begin());
}

aio::awaitable<End> Modem::Impl::set_up_indications() {
    indications_.clear();
    routing_ended_ = reroute_wanted_ = acknowledgement_proved_ = false;
    missed_in_row_ = 0;
    const bool stored_first = !profile_->indications.empty() && field(profile_->indications.front(), 3) == 2;
    const bool may_acknowledge = !profile_->acknowledgements.empty() && refuses_acknowledgement_ != status_.identity.imei;
    const bool has_report_store = std::ranges::find(stores_, "SR") != stores_.end();
    std::vector<Routing> order;
    if (may_acknowledge && !stored_first) order.push_back(Routing::acknowledged);
    if (stored_first || (has_report_store && !profile_->report_slot_lies)) order.push_back(Routing::stored);
    order.push_back(Routing::plain);
    bool set = false;
    for (std::size_t i = 0; i < order.size() && !set; ++i) {
        const auto tried = co_await try_indications(order[i], order[i] == Routing::plain);
        if (!tried) co_return end_of(tried.error());
        set = *tried;
    }
    if (set && !had_indications() && routing_ != Routing::plain) {
        // a modem that starts with <ds> 0 throws away the reports that come before its next bring-up
        const auto kept = co_await tell("&W");
        if (!kept) co_return end_of(kept.error());
    }
    if (indications_.empty()) log_.warning("no-indications");  // the sweeps alone will find messages
    if (status_.routing != to_string(routing_)) log_.info("report-routing", {{"mode", to_string(routing_)}, {"cnmi", indications_text_}});
    status_.routing = to_string(routing_);
    if (routing_ != Routing::acknowledged) acknowledgements_due_.clear();
    rechecks_ = 0;
    routed_at_ = BootClock::now();
    co_return condition();
}

Instant Modem::Impl::next_recheck() const {
    const bool due = routing_ == Routing::acknowledged && rechecks_ < rechecks.size();
    return due ? routed_at_ + rechecks[rechecks_] : Instant::max();
}

/// The looks that follow a bring-up. No answer tells nothing.
aio::awaitable<void> Modem::Impl::recheck_routing() {
    if (!recheck_due()) co_return;
    ++rechecks_;
    at::Command look = at::command("+CNMI?");
    look.timeout = 2s;  // a message may be waiting for it
    const auto reply = co_await session_->run(std::move(look));
    if (!reply || !reply->ok()) co_return;
    const bool kept = are_kept(reply->lines, false);
    if (!kept) bring_up_wanted_ = true;
    unfit_ = !kept || routing_ended_;
}

/// Sets +CNMI again where the modem ended the routing, or chooses another way where it refuses acknowledgements.
aio::awaitable<Result<void>> Modem::Impl::mend_routing() {
    if (std::exchange(reroute_wanted_, false)) {
        const End end = co_await set_up_indications();
        if (end != End::ok) bring_up_wanted_ = true;
        co_return Result<void>{};
    }
    if (!std::exchange(routing_ended_, false)) co_return Result<void>{};
    ++status_.acknowledgements_missed;
    log_.notice("report-routing-again", {{"cnmi", indications_text_}});
    const auto done = co_await tell("+CNMI=" + indications_text_);
    if (!done) co_return done.error();
    if (!*done) bring_up_wanted_ = true;
    co_return Result<void>{};
}

/// What the modem has time for while the Host commits. `unfit_`: it must be set up before it gets a message.
aio::awaitable<Result<void>> Modem::Impl::use_pause(bool recheck) {
    auto done = co_await acknowledge(10s);
    if (done && recheck) co_await recheck_routing();
    co_return done;
}

/// The Host's next(), and beside it what may be asked of the modem meanwhile.
aio::awaitable<std::optional<Submission>> Modem::Impl::ask_next(std::optional<SubmitOutcome> finished, bool available) {
    using namespace boost::asio::experimental::awaitable_operators;
    unfit_ = false;
    const bool recheck = available && recheck_due();
    if ((acknowledgements_due_.empty() && !recheck) || session_->lost() || session_->rebooted())
        co_return co_await host_.next(std::move(finished), available);
    auto asked = host_.next(std::move(finished), available);
    auto used = use_pause(recheck);
    auto both = co_await (std::move(asked) && std::move(used));
    co_return std::move(std::get<0>(both));
}

/// The form that works is tried first and remembered (rows 37, 64).
aio::awaitable<Result<at::FinalResult>> Modem::Impl::write_acknowledgement(std::chrono::milliseconds limit) {
    const auto forms = profile_->acknowledgements;
    at::FinalResult last;
    for (std::size_t i = 0; i < forms.size(); ++i) {
        const std::size_t form = (acknowledgement_form_ + i) % forms.size();
        at::Command cnma = at::command(std::string{forms[form]});
        cnma.timeout = std::min(cnma.timeout, limit);
        const auto reply = co_await session_->run(std::move(cnma));
        if (!reply) co_return reply.error();
        if (last.code != none_expected) last = reply->final;
        if (reply->ok()) {
            acknowledgement_form_ = form;
            co_return reply->final;
        }
        if (acknowledgement_proved_) break;
    }
    co_return last;
}

/// AT+CNMA for what the Host has committed. An Error is the port's or the modem's; a refusal is none.
aio::awaitable<Result<void>> Modem::Impl::acknowledge(std::chrono::milliseconds limit) {
    while (!acknowledgements_due_.empty()) {
        const Instant by = acknowledgements_due_.front();
        acknowledgements_due_.pop_front();
        const auto final = co_await write_acknowledgement(limit);
        if (!final && !final.error().is(AtErrc::timeout)) co_return final.error();
        if (!final) {  // T73: it may take longer than a queue can wait. Whether the modem answers at all, the next command finds out
            routing_ended_ = true;
            acknowledgements_due_.clear();  // the network sends them again
            break;
        }
        if (final->kind == at::FinalResult::Kind::ok) {
            acknowledgement_proved_ = true;
            missed_in_row_ = 0;
            ++status_.acknowledged;
            continue;
        }
        const bool late = acknowledgement_proved_ || (final->code == none_expected && BootClock::now() >= by);
        if (late && ++missed_in_row_ < most_missed) {
            routing_ended_ = true;  // row 81: the network sends it again
            continue;
        }
        log_.warning("acknowledgement-refused", {{"result", at::word(*final)}});
        refuses_acknowledgement_ = status_.identity.imei;
        reroute_wanted_ = true;
        acknowledgements_due_.clear();
    }
    co_return Result<void>{};
}

/// The daemon stops: what is committed need not come again after the next start.
aio::awaitable<void> Modem::Impl::acknowledge_last() {
    if (acknowledgements_due_.empty() || session_->lost() || session_->rebooted()) co_return;
    session_->resume();
    const auto done = co_await acknowledge(300ms);
    if (!done) log_.debug("acknowledgement-left", {{"why", done.error().text()}});
    session_->interrupt();
}

}  // namespace conductor::driver
