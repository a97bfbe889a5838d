// The life of a modem: its port is opened, it is brought up, it serves, it is recovered.
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>

#include "modem/at/ussd.hpp"
#include "modem/driver/finder.hpp"
#include "modem/driver/modem_impl.hpp"
#include "modem/port/usb.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {
constexpr auto look_at_blocked = 30s;  ///< not every modem says that its SIM is back
constexpr auto patience_of_people = 180s;
constexpr int hangs_up = 3;  ///< opens in a row without an answer, before a port is said to hang up
}  // namespace

std::string_view to_string(ModemState s) {
    switch (s) {
        case ModemState::absent: return "absent";
        case ModemState::opening: return "opening";
        case ModemState::searching: return "searching";
        case ModemState::ready: return "ready";
        case ModemState::sending: return "sending";
        case ModemState::recovering: return "recovering";
        case ModemState::blocked: return "blocked";
        case ModemState::disabled: return "disabled";
    }
    return "?";
}

Modem::Modem(aio::Executor ex, Log log, ModemSettings settings, Host& host, int adopted, bool awaiting_late, Opener opener, Finder* finder)
    : impl_{std::make_unique<Impl>(std::move(ex), std::move(log), std::move(settings), host, adopted, awaiting_late, std::move(opener),
                                   finder)} {}
Modem::~Modem() = default;

aio::awaitable<void> Modem::run() {
    return impl_->run();
}
const ModemStatus& Modem::status() const {
    return impl_->status();
}
std::string Modem::trace() const {
    return impl_->trace();
}
bool Modem::request_reset() {
    return impl_->request_reset();
}
void Modem::set_pin(std::optional<std::string> pin, std::string problem) {
    impl_->set_pin(std::move(pin), std::move(problem));
}

aio::awaitable<Result<AtAnswer>> Modem::command(std::string line) {
    co_return co_await boost::asio::co_spawn(impl_->ex_, impl_->request(std::move(line), false), aio::use_awaitable);
}

aio::awaitable<Result<UssdAnswer>> Modem::ussd(std::string code) {
    const auto answer = co_await boost::asio::co_spawn(impl_->ex_, impl_->request(std::move(code), true), aio::use_awaitable);
    if (!answer) co_return answer.error();
    UssdAnswer made;
    made.text = answer->final_result;
    made.status = answer->lines.empty() ? 0 : at::to_int(answer->lines[0]).value_or(0);
    made.open = made.status == static_cast<int>(at::UssdStatus::reply_wanted);
    co_return made;
}

Modem::Impl::Impl(aio::Executor ex, Log log, ModemSettings settings, Host& host, int adopted, bool awaiting_late, Opener opener,
                  Finder* finder)
    : ex_{ex},
      log_{log.with("modem", settings.index)},
      settings_{std::move(settings)},
      host_{host},
      adopted_{adopted},
      awaiting_late_{awaiting_late},
      opener_{opener ? std::move(opener) : Opener{port::open_port}},
      finder_{finder},
      inbox_{std::make_shared<Inbox>(ex)},
      recorder_{std::make_shared<port::FlightRecorder>()},
      profile_{&profile::generic()},
      unwanted_{ex} {
    status_.index = settings_.index;
    status_.since = BootClock::now();
    ladder_.limits(ladder_limits());
    inbox_->power_warning = [this] { power_.warned(BootClock::now()); };
}

void Modem::Impl::set(ModemState state, std::string reason, std::string text) {
    if (status_.state == state && status_.reason == reason) {
        if (status_.reason_text == text) return;
        status_.reason_text = std::move(text);
        return publish();
    }
    if (status_.state != state) status_.since = BootClock::now();
    const bool burst = (status_.state == ModemState::ready && state == ModemState::sending) ||
                       (status_.state == ModemState::sending && state == ModemState::ready);
    status_.state = state;
    status_.reason = std::move(reason);
    status_.reason_text = std::move(text);
    if (!burst) log_.info("modem-state", {{"state", to_string(state)}, {"reason", status_.reason}, {"port", status_.port}});
    publish();
}

void Modem::Impl::publish() {
    status_.boots_seen = inbox_->boots;
    status_.brown_outs = inbox_->brown_outs;
    status_.urcs_dropped = inbox_->dropped;
    status_.rung = to_string(ladder_.rung());
    status_.resets = ladder_.hard_resets();
    const Instant now = BootClock::now();
    status_.restarts_last_hour = power_.restarts(now);
    auto advice = advise(now);
    for (const Advice& one : advice)
        if (std::ranges::find(status_.advice, one.code, &Advice::code) == status_.advice.end())
            log_.warning("advice", {{"code", one.code}, {"text", one.text}});
    status_.advice = std::move(advice);
    host_.changed(status_);
}

End Modem::Impl::condition() {
    if (!session_ || session_->lost()) return End::lost;
    if (unwanted()) return End::stop;
    if (session_->rebooted()) return End::again;
    if (echo_is_back()) {
        if (!std::exchange(bring_up_wanted_, true)) log_.warning("settings-lost", {{"by", "echo"}});
        return End::again;
    }
    if (reset_wanted_) return End::reset;
    return End::ok;
}

End Modem::Impl::end_of(const Error& error) const {
    if (error.is(AtErrc::lost)) return End::lost;
    if (error.is(AtErrc::rebooted)) return End::again;
    if (error.is(AtErrc::interrupted)) return End::stop;
    return End::mute;
}

/// The Host's wake reaches whatever this modem waits for. Alone in waiting for it.
aio::awaitable<void> Modem::Impl::watch_host() {
    while (!ended_) {
        co_await host_.wake().wait();
        if (ended_) co_return;
        if (unwanted() && session_) session_->interrupt();
        if (unwanted()) unwanted_.raise();
        host_woke_ = true;
        inbox_->attention.raise();
    }
}

aio::awaitable<void> Modem::Impl::run() {
    boost::asio::cancellation_signal stop_watching;
    aio::Event watcher_ended{ex_}, keeper_ended{ex_};
    boost::asio::co_spawn(ex_, watch_host(),
                          boost::asio::bind_cancellation_slot(stop_watching.slot(), [&](std::exception_ptr) { watcher_ended.raise(); }));
    boost::asio::co_spawn(ex_, keep_handed_over(), [&](std::exception_ptr) { keeper_ended.raise(); });
    if (finder_) finder_->join(settings_, [this] { inbox_->attention.raise(); });
    std::exception_ptr cancelled;
    try {
        co_await live();
    } catch (...) {
        cancelled = std::current_exception();
    }
    ended_ = true;
    if (finder_) finder_->leave(settings_.index);
    co_await boost::asio::this_coro::reset_cancellation_state();
    stop_watching.emit(boost::asio::cancellation_type::terminal);
    inbox_->direct.raise();
    if (session_) {
        session_->close();
        co_await session_->ended();
        session_.reset();
    }
    co_await watcher_ended.wait();
    co_await keeper_ended.wait();
    for (const auto& request : requests_) request->done.raise();
    requests_.clear();
    if (cancelled) std::rethrow_exception(cancelled);
}

aio::awaitable<void> Modem::Impl::live() {
    if (adopted_ >= 0) co_await take_over();
    while (!host_.stopping()) {
        if (!host_.enabled()) {
            co_await close();
            set(ModemState::disabled, "disabled", "A technician disabled this modem; enable it to use it again.");
            co_await rest(1h);
            continue;
        }
        if (session_ && reset_wanted_) {  // also of one that is blocked
            co_await reset_for_a_person();
            continue;
        }
        End end = End::ok;
        if (!session_) end = co_await open();
        if (end == End::ok) {
            session_->resume();
            end = co_await bring_up();
            if (end == End::again) co_await aio::sleep_for(500ms);  // one that restarts for ever does not keep the processor busy
            if (end == End::again && boots_again_and_again()) co_await recover(Trouble::boot_loop);
        }
        if (end == End::ok) end = co_await serve();
        if (session_) ctrl_z_at_ = session_->ctrl_z_at();
        switch (end) {
            case End::ok:
            case End::again:
            case End::stop: break;
            case End::lost:
                if (status_.state == ModemState::blocked) set(ModemState::absent, "no-port", "The modem was unplugged.");
                note_loss();
                if (ctrl_z_at_ && BootClock::now() - *ctrl_z_at_ <= PowerWatch::transmitting) note_restart();
                if (ladder_.new_incarnation(BootClock::now())) network_trouble_at_ = {};
                refuses_acknowledgement_.clear();
                co_await close();
                co_await hold(after_loss());
                break;
            case End::mute: co_await recover(silence()); break;
            case End::unable: co_await recover(Trouble::no_sending); break;
            case End::reset: co_await reset_for_a_person(); break;
            case End::mismatch:
                co_await close();
                co_await rest(settings_.port.empty() && finder_ ? 1s : 10s);
                break;
            case End::blocked:
                host_woke_ = false;
                co_await aio::sleep_for(500ms);  // a flood of URCs does not make it ask all the time
                if (const auto what = sim_trouble(); what && BootClock::now() >= network_trouble_at_) {
                    co_await recover(*what);
                    if (bring_up_wanted_) break;  // the radio was off and on: look at once
                }
                co_await rest_blocked();
                break;
        }
    }
}

/// A port that was opened and lost again without an answer says nothing new each time.
void Modem::Impl::note_loss() {
    fruitless_ = inbox_->answered_at >= opened_at_ ? 0 : fruitless_ + 1;
    if (fruitless_ <= hangs_up) log_.warning("port-lost", {{"port", status_.port}});
    if (fruitless_ < hangs_up) return;
    set(ModemState::absent, "port-hangs-up",
        "The port opens and hangs up at once: what is behind it (a terminal server, a stick) has no modem to give. It is opened again "
        "every "
        "few seconds.");
}

/// How long to wait before the next open: a terminal server with its line busy is not asked more often than every 10 s; a device that was
/// plugged in may need a few tries in its first second.
BootClock::duration Modem::Impl::after_loss() const {
    const BootClock::duration most = settings_.port.starts_with("tcp:") ? 10s : 2s;
    BootClock::duration pause = 200ms;
    for (int i = hangs_up; i < fruitless_ && pause < most; ++i) pause *= 2;
    return std::min(pause, most);
}

void Modem::Impl::attach(std::unique_ptr<port::ByteStream> stream, std::string name) {
    const int descriptor = stream->descriptor();
    recorder_->remark("opened " + name, BootClock::now());
    session_ = std::make_shared<AtSession>(ex_, port::record(std::move(stream), recorder_), inbox_);
    std::erase_if(inbox_->urcs, [](const at::Urc& urc) { return !std::holds_alternative<at::Reference>(urc); });
    inbox_->stored_reports.clear();  // the bring-up looks everywhere
    ++inbox_->incarnation;
    acknowledgements_due_.clear();
    selected_.clear();
    mid_message_ = false;
    reset_wanted_ = false;  // it was for what was open then
    submit_failures_ = 0;
    status_.port = std::move(name);
    status_.usb = port::usb_device_of(status_.port);
    network_ = NetworkWatch{};
    ++status_.opened;
    opened_at_ = BootClock::now();
    if (finder_) finder_->opened(settings_.index, status_.port);
    host_.port_changed(descriptor);
    session_->start();  // last: what is there already is read within this call
}

aio::awaitable<void> Modem::Impl::close() {
    if (!session_) co_return;
    const bool gone = session_->lost();
    session_->close();
    co_await session_->ended();
    session_.reset();
    const bool silent = status_.state == ModemState::recovering && status_.reason == "mute";
    if (finder_)
        finder_->released(settings_.index, gone ? Finder::Release::gone : silent ? Finder::Release::silent : Finder::Release::closed);
    host_.port_changed(-1);
}

namespace {

/// A connection says nothing of where it leads, so it counts as another one: what is behind a host's name may have changed.
bool same_device(const std::string& held, std::string configured) {
    if (configured.empty() || (held.empty() && !configured.starts_with("tcp:"))) return true;  // found by the modem's identity
    if (configured.starts_with("pty:")) configured.erase(0, 4);
    std::error_code ec;
    const auto path = std::filesystem::canonical(configured, ec);
    return ec ? held == configured : held == path.string();
}

}  // namespace

/// A descriptor of the run before. If a submission was open, its answer comes first: not an octet is written until then.
aio::awaitable<void> Modem::Impl::take_over() {
    auto stream = port::adopt_port(ex_, std::exchange(adopted_, -1));
    if (!stream) {
        log_.warning("adopt-failed", {{"why", stream.error().text()}});
        co_return;
    }
    const std::string held = port::name_of((*stream)->descriptor());
    const bool other = !same_device(held, settings_.port);  // the configuration names another port since
    attach(std::move(*stream), other || settings_.port.empty() ? held : settings_.port);
    if (awaiting_late_) co_await await_late();
    awaiting_late_ = false;
    if (other) co_await close();
}

aio::awaitable<void> Modem::Impl::await_late() {
    set(ModemState::opening, "awaiting-answer", "The answer to the last submission before the restart is awaited.");
    const Instant until = BootClock::now() + 70s;
    while (!session_->lost() && !host_.stopping() && BootClock::now() < until && !session_->rebooted()) {
        const auto is_reference = [](const at::Urc& urc) { return std::holds_alternative<at::Reference>(urc); };
        const auto found = std::ranges::find_if(inbox_->urcs, is_reference);
        if (found != inbox_->urcs.end()) {
            const int tp_mr = std::get<at::Reference>(*found).tp_mr;
            inbox_->urcs.erase(found);
            co_await host_.late_reference(tp_mr);
            break;
        }
        if (const auto final = session_->take_stray_final()) {
            using Kind = at::FinalResult::Kind;
            if (final->kind == Kind::ok) break;  // of no known command
            SubmitOutcome outcome = outcome_of(*final, at::Phase::after_ctrl_z);
            log_.notice("late-final", {{"result", outcome.reason}});
            if (outcome.ending == Ending::refused) co_await host_.late_refusal(std::move(outcome));
            break;
        }
        co_await session_->listen_until(until);
    }
}

namespace {
using Opened = Result<std::unique_ptr<port::ByteStream>>;

/// What throws would not end a co_await of the one or the other.
aio::awaitable<Opened> kept_apart(aio::awaitable<Opened> opening, std::exception_ptr& thrown) {
    try {
        co_return co_await std::move(opening);
    } catch (...) {
        thrown = std::current_exception();
    }
    co_return fail(port::PortErrc::closed, "open");
}
}  // namespace

aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> Modem::Impl::open_candidate() {
    std::string name = settings_.port;
    if (finder_) {
        const auto place = finder_->place(settings_.index);
        if (!place) {
            status_.port = place.error().is(port::PortErrc::not_found) ? "" : place.error().where;
            co_return place.error();
        }
        name = *place;
    }
    if (name.empty()) co_return fail(port::PortErrc::not_found, "port");
    status_.port = name;
    port::PortSettings settings;
    settings.baud = settings_.baud;
    using namespace boost::asio::experimental::awaitable_operators;
    std::exception_ptr thrown;
    auto opening = kept_apart(opener_(name, settings), thrown);  // a connection may take a while: a stop does not wait for it
    auto given_up = until_unwanted();
    auto first = co_await (std::move(opening) || std::move(given_up));
    if (thrown) std::rethrow_exception(thrown);
    Result<std::unique_ptr<port::ByteStream>> stream = fail(port::PortErrc::closed, name);
    if (first.index() == 0) stream = std::move(std::get<0>(first));
    if (!stream && finder_) finder_->released(settings_.index, Finder::Release::gone);
    co_return stream;
}

aio::awaitable<void> Modem::Impl::until_unwanted() {
    while (!unwanted()) co_await unwanted_.wait();
}

namespace {
/// No such file any more: what was behind the name was taken away.
bool is_gone(const std::string& port) {
    std::error_code ec;
    const std::string path = port.starts_with("pty:") ? port.substr(4) : port;
    return path.starts_with('/') && !std::filesystem::exists(path, ec) && !ec;
}
}  // namespace

void Modem::Impl::not_open(const Error& error) {
    const bool misplaced = status_.state == ModemState::blocked && (status_.reason == "wrong-modem" || status_.reason == "wrong-sim");
    if (misplaced && settings_.port.empty()) return;  // that says more: it is looked for elsewhere meanwhile
    if (misplaced && !(error.is(port::PortErrc::not_found) && is_gone(settings_.port))) return;
    if (status_.state != ModemState::absent) log_.warning("open-failed", {{"port", status_.port}, {"why", error.text()}});
    if (error.is(port::PortErrc::busy)) {
        set(ModemState::absent, "port-busy", "Another process holds the port; stop it (conductorctl doctor, run as root, names it).");
    } else if (error.is(port::PortErrc::denied)) {
        set(ModemState::absent, "port-denied", "The service may not open the port; its group and the unit's DeviceAllow decide that.");
    } else if (error.is(port::PortErrc::not_found) && error.where == Finder::locked_sim) {
        set(ModemState::absent, "no-port",
            "A SIM is here that asks for its PIN before it tells its IMSI; name this modem's imei, iccid, usb or port beside the imsi.");
    } else if (error.is(port::PortErrc::hung)) {
        set(ModemState::absent, "port-hung",
            "The device hangs: the kernel waits for it, so the port cannot be opened. It is reset where that is possible; else unplug it "
            "and "
            "plug it in again.");
    } else if (settings_.port.empty()) {
        set(ModemState::absent, "no-port", "No port holds this modem now; it is looked for as soon as a device is plugged in.");
    } else {
        set(ModemState::absent, "no-port", "No such port now; it is looked for again every few seconds until the modem is plugged in.");
    }
}

/// Again when the finder knows more, and now and then, faster at first: a replugged device is back in a second or two. Never a rung of the
/// ladder.
aio::awaitable<End> Modem::Impl::open() {
    BootClock::duration pause = 200ms;
    std::size_t failed = 0;
    for (;;) {
        if (unwanted()) co_return End::stop;
        auto stream = co_await open_candidate();
        if (stream) {
            attach(std::move(*stream), status_.port);
            co_return End::ok;
        }
        if (unwanted()) co_return End::stop;
        not_open(stream.error());
        if (stream.error().is(port::PortErrc::hung) && BootClock::now() >= network_trouble_at_) {
            if (status_.usb.empty()) status_.usb = port::usb_device_of(status_.port);
            co_await recover(Trouble::hung);
        }
        const bool told = finder_ && settings_.port.empty() && stream.error().is(port::PortErrc::not_found);
        co_await rest(told ? BootClock::duration{10s} : pause);
        const bool events = finder_ && !settings_.port.starts_with("tcp:");
        if (++failed >= 10) pause = std::min<BootClock::duration>(pause * 3 / 2, events ? 10s : 4s);
    }
}

aio::awaitable<void> Modem::Impl::rest(BootClock::duration most) {
    co_await inbox_->attention.wait_until(BootClock::now() + most);
    if (!requests_.empty()) co_await serve_requests();
}

aio::awaitable<void> Modem::Impl::hold(BootClock::duration time) {
    const Instant until = BootClock::now() + time;
    while (BootClock::now() < until && !unwanted() && !reset_wanted_) {
        const bool raised = co_await inbox_->attention.wait_until(until);
        if (!requests_.empty()) co_await serve_requests();
        if (raised && (!session_ || session_->lost())) co_await aio::sleep_for(100ms);  // nothing to listen to: a lost line is found next
    }
}

/// Until a person, the Host or the SIM does something, or it is time to look again. What else a blocked modem says changes nothing, and
/// what it said of its SIM while it was asked is known.
aio::awaitable<void> Modem::Impl::rest_blocked() {
    const auto is_news = [](const at::Urc& urc) {
        return std::holds_alternative<at::SimChange>(urc) || std::holds_alternative<at::Boot>(urc);
    };
    std::erase_if(inbox_->urcs, is_news);
    const Instant until = BootClock::now() + look_at_blocked;
    while (BootClock::now() < until && !std::exchange(host_woke_, false) && condition() == End::ok && !bring_up_wanted_) {
        if (std::ranges::any_of(inbox_->urcs, is_news)) co_return;
        co_await inbox_->attention.wait_until(until);
        if (!requests_.empty()) co_await serve_requests();
    }
}

void Modem::Impl::set_pin(std::optional<std::string> pin, std::string problem) {
    boost::asio::post(ex_, [this, pin = std::move(pin), problem = std::move(problem)]() mutable {
        if (pin == settings_.pin && problem == settings_.pin_problem) return;
        settings_.pin = std::move(pin);
        settings_.pin_problem = std::move(problem);
        pin_refused_.clear();  // what was tried on which SIM is known to the Host
        if (status_.state == ModemState::blocked) bring_up_wanted_ = true;
        inbox_->attention.raise();
    });
}

bool Modem::Impl::request_reset() {
    if (!session_ || session_->lost()) return false;
    boost::asio::post(ex_, [this] {
        reset_wanted_ = true;
        inbox_->attention.raise();
    });
    return true;
}

aio::awaitable<Result<AtAnswer>> Modem::Impl::request(std::string line, bool ussd) {
    if (!session_ || session_->lost()) co_return fail(AtErrc::not_open, "request");
    if (requests_.size() >= 16) co_return fail(port::PortErrc::busy, "request");
    auto request = std::make_shared<Request>(ex_);
    request->line = std::move(line);
    request->ussd = ussd;
    requests_.push_back(request);
    inbox_->attention.raise();
    const bool answered = co_await request->done.wait_until(BootClock::now() + patience_of_people);
    request->withdrawn = !answered;  // a code or a command that nobody waits for any more is not given later
    if (!answered) co_return fail(AtErrc::timeout, "request");
    co_return request->answer;
}

}  // namespace conductor::driver
