#include "daemon/store/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "daemon/store/tables.hpp"

namespace conductor::store {

namespace {

constexpr std::chrono::seconds probe_period{3};

bool is_there(const std::string& path) {
    std::error_code ec;
    const auto size = std::filesystem::file_size(path, ec);
    return !ec && size > 0;
}

bool disk_refused(const Error& error) {
    return error.is(StoreErrc::full) || error.is(StoreErrc::io) || error.is(StoreErrc::read_only);
}

std::string random_word() {
    std::random_device device;
    return fmt::format("{:08x}{:08x}", device(), device());
}

}  // namespace

bool Store::lasting(const Error& e) {
    return e.is(StoreErrc::corrupt) || e.is(StoreErrc::newer_schema) || e.is(StoreErrc::missing);
}

Result<std::unique_ptr<Store>> Store::open(Settings settings, aio::Executor home, aio::Executor worker) {
    std::unique_ptr<Store> store{new Store{std::move(settings), std::move(home), std::move(worker)}};
    store->fault_ = store->connect(false);
    if (store->fault_ && (store->fault_->is(StoreErrc::open) || store->fault_->is(StoreErrc::locked))) return *store->fault_;
    store->trouble_ = store->fault_;
    store->watch_trouble();
    return store;
}

Store::Store(Settings settings, aio::Executor home, aio::Executor worker)
    : settings_{std::move(settings)},
      home_{home},
      worker_{std::move(worker)},
      soon_{aio::Timer{home}},
      late_{aio::Timer{home}},
      probe_{home} {
    if (!settings_.witness.empty()) witness_.emplace(settings_.witness);
}

/// Opens, judges and migrates; what hinders, and then a connection for reading if there can be one.
std::optional<Error> Store::connect(bool anew) {
    connection_.reset();
    salvaged_ = false;
    const auto testimony = witness_ ? Witness::read(settings_.witness) : std::nullopt;
    if (testimony && !anew && !is_there(settings_.path)) return fail(StoreErrc::missing, settings_.path);
    auto connection = Connection::open(settings_.path, {.vfs = settings_.vfs});
    std::optional<Error> why;
    if (connection) {
        Found found;
        const auto schema = schema_of(**connection);
        if (schema && *schema > 0 && witness_) {
            Tx tx{**connection};
            found = {.tick = tick_of(tx), .schema = *schema, .marks = marks_of(tx), .backup = get_setting(tx, "backup").has_value()};
            if (tx.failed()) why = tx.error();
        }
        if (!schema) why = schema.error();
        if (!why)
            if (auto done = migrate(**connection); !done) why = done.error();
        if (why && (why->is(StoreErrc::failed) || why->is(StoreErrc::constraint)))  // a database, and not one of ours
            why = fail(StoreErrc::corrupt, why->where);
        if (!why) {
            if (!blessed_ && witness_) {
                doubt_ = store::doubt(testimony, found, settings_.machine);
                tick_ = found.tick.value_or(Tick{});
                of_this_machine_ = !settings_.machine.empty() && tick_.machine == settings_.machine;
                schema_ = newest_schema();
            }
            connection_ = std::move(*connection);
            connection_->opt_outs_file = settings_.opt_outs;
            return std::nullopt;
        }
        if (!disk_refused(*why)) {
            // what can be read of it is read, and nothing is written, not even by a checkpoint
            for (const char* pragma : {"PRAGMA query_only = ON", "PRAGMA wal_autocheckpoint = 0"})
                if (auto set = (*connection)->execute(pragma); !set) return why;
            sqlite3_db_config((*connection)->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
            connection_ = std::move(*connection);
            salvaged_ = true;
            return why;
        }
        sqlite3_db_config((*connection)->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        connection->reset();
    } else {
        why = connection.error();
    }
    if (why->is(StoreErrc::locked)) return why;
    if (auto reader = Connection::open(settings_.path, {.vfs = settings_.vfs, .create = false, .salvage = true})) {
        connection_ = std::move(*reader);
        salvaged_ = true;
        if (why->is(StoreErrc::open)) why = fail(StoreErrc::read_only, why->where);  // it is there and can be read
    }
    return why;
}

void Store::settle_trouble(std::optional<Error> trouble) {
    trouble_ = std::move(trouble);
    if (!trouble_ && probe_.cancel() > 0) probing_ = false;
    watch_trouble();
}

/// While the disk refuses: finds out when it no longer does.
void Store::watch_trouble() {
    if (!trouble_ || lasting(*trouble_) || std::exchange(probing_, true)) return;
    probe_.expires_after(probe_period);
    probe_.async_wait([this](boost::system::error_code ec) {
        if (ec) return;
        boost::asio::post(worker_, [this] { probe(); });
    });
}

void Store::probe() {
    // a file that was opened on a read-only disk stays so for its connection
    if (!connection_ || salvaged_ || sqlite3_db_readonly(connection_->handle(), "main") == 1) fault_ = connect(false);
    std::optional<Error> why = fault_;
    if (!why) {
        const std::string mark =
            fmt::format("INSERT INTO settings (name, value) VALUES ('probe', '{}') ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                        counted_.commits);
        if (auto done = connection_->execute(mark.c_str()); !done) why = done.error();
    }
    boost::asio::post(home_, [this, why] {
        probing_ = false;
        settle_trouble(why);
    });
}

void Store::prepare_tick(Tx& tx) {
    if (!witness_ || (blessed_ && sqlite3_total_changes64(connection_->handle()) == changes_at_tick_)) return;
    prepared_ = Tick{.count = tick_.count + 1, .word = random_word(), .before = tick_.word, .machine = settings_.machine};
    set_tick(tx, *prepared_);
}

/// After a commit: what it made durable is witnessed.
void Store::witness_commit(Tx& tx) {
    if (!witness_) return;
    const auto tick = std::exchange(prepared_, std::nullopt);
    if (!tick && !blessed_) return;
    if (tick && tick_of(tx) != tick) return;  // its job was undone
    const Testimony testimony{.tick = tick.value_or(tick_), .schema = schema_, .marks = marks_of(tx)};
    if (tx.failed()) return;
    if (witness_->write(testimony, tick.has_value()) && tick) {
        tick_ = *tick;
        blessed_ = true;
        changes_at_tick_ = sqlite3_total_changes64(connection_->handle());
    }
}

aio::awaitable<Result<void>> Store::tick(Urgency urgency) {
    auto job = [this](Tx& tx) { prepare_tick(tx); };
    co_return co_await run(job, urgency);
}

void Store::condemn(std::string what) {
    settle_trouble(fail(StoreErrc::corrupt, what));
    boost::asio::post(worker_, [this, why = fail(StoreErrc::corrupt, std::move(what))] { fault_ = why; });
}

aio::awaitable<Result<void>> Store::begin_anew() {
    auto answer = [this](auto handler) {
        boost::asio::post(worker_, [this, h = std::move(handler)]() mutable {
            if (fault_ && fault_->is(StoreErrc::missing)) {
                fault_ = connect(true);
                doubt_.clear();
            }
            const auto why = fault_;
            boost::asio::post(home_, [this, why, h = std::move(h)]() mutable {
                settle_trouble(why);
                std::move(h)(why ? Result<void>{*why} : Result<void>{});
            });
        });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(answer, aio::use_awaitable);
}

Store::~Store() = default;

void Store::submit(std::unique_ptr<Task> task, Urgency urgency) {
    {
        const std::lock_guard lock{mutex_};
        const auto of_its_party = [party = task->party](const auto& other) { return other->party == party; };
        if (urgency == Urgency::late && task->party != 0) {
            if (std::ranges::any_of(queue_, of_its_party)) return queue_.push_back(std::move(task));  // these are stored soon enough
            waiting_.push_back(std::move(task));
        } else {
            if (task->party != 0) call_late(task->party);
            queue_.push_back(std::move(task));
        }
        if (urgency == Urgency::now) {
            if (scheduled_) return;
            scheduled_ = true;
        }
    }
    if (urgency == Urgency::now) return kick();
    if (urgency == Urgency::soon) return kick_after(soon_, settings_.soon);
    kick_after(late_, settings_.late);
}

/// With the mutex held: late jobs of this party, or of all, join the queue.
void Store::call_late(std::optional<unsigned> party) {
    const auto others =
        std::stable_partition(waiting_.begin(), waiting_.end(), [&](const auto& task) { return !party || task->party == *party; });
    std::move(waiting_.begin(), others, std::back_inserter(queue_));
    waiting_.erase(waiting_.begin(), others);
}

void Store::kick_after(Delayed& one, std::chrono::milliseconds delay) {
    if (std::exchange(one.armed, true)) return;
    one.timer.expires_after(delay);
    one.timer.async_wait([this, &one](boost::system::error_code ec) {
        one.armed = false;
        if (ec) return;
        {
            const std::lock_guard lock{mutex_};
            if (&one == &late_) call_late({});
            if (scheduled_ || queue_.empty()) return;
            scheduled_ = true;
        }
        kick();
    });
}

void Store::kick() {
    boost::asio::post(worker_, [this] { drain(); });
}

void Store::drain() {
    std::vector<std::unique_ptr<Task>> batch;
    {
        const std::lock_guard lock{mutex_};
        batch.swap(queue_);
        scheduled_ = false;
    }
    run_batch(batch);
}

void Store::run_batch(std::vector<std::unique_ptr<Task>>& batch) {
    std::optional<Error> trouble;
    const auto writers = std::ranges::count_if(batch, [](const auto& task) { return task->writes; });
    if (connection_) {
        Tx tx{*connection_};
        for (auto& task : batch)
            if (!task->writes) execute(*task, tx, false);
        if (writers > 0 && !fault_) trouble = write_batch(batch, tx, writers);
    } else {
        for (auto& task : batch) task->error = fault_;
    }
    if (fault_) trouble = fault_;
    counted_.jobs += batch.size();
    for (auto& task : batch)
        if (task->writes && trouble) task->error = trouble;
    auto shown = trouble;
    for (const auto& task : batch) {
        counted_.failures += task->error.has_value();
        if (!task->error || fault_) continue;
        // a damaged file gets nothing more; a full or failing disk is trouble of all, whoever met it
        if (task->error->is(StoreErrc::corrupt)) shown = fault_ = task->error;
        if (task->writes && disk_refused(*task->error)) shown = task->error;
    }
    boost::asio::post(home_, [this, counters = counted_, shown, tells = writers > 0 || fault_.has_value()] {
        shown_ = counters;
        if (tells) settle_trouble(shown);
    });
    for (auto& task : batch) task->complete(task->error);
}

/// The writers of a batch in one transaction; why none of it was stored.
std::optional<Error> Store::write_batch(std::vector<std::unique_ptr<Task>>& batch, Tx& tx, std::ptrdiff_t writers) {
    std::optional<Error> trouble;
    if (auto begun = connection_->run("BEGIN IMMEDIATE"); !begun) trouble = begun.error();
    for (auto& task : batch)
        if (task->writes && !trouble) {
            execute(*task, tx, writers > 1);
            // a full disk makes SQLite end the transaction by itself: nothing of this batch is stored
            if (sqlite3_get_autocommit(connection_->handle())) trouble = task->error.value_or(fail(StoreErrc::failed, "transaction ended"));
        }
    const bool alone_failed = writers == 1 && !trouble && std::ranges::any_of(batch, [](const auto& t) { return t->writes && t->error; });
    bool committed = false;
    if (!trouble && !alone_failed) {
        if (auto done = connection_->run("COMMIT"); !done) trouble = done.error();
        committed = !trouble;
    }
    if (!sqlite3_get_autocommit(connection_->handle()))
        if (auto undone = connection_->run("ROLLBACK"); !undone && !trouble) trouble = undone.error();
    ++counted_.commits;
    if (committed) witness_commit(tx);  // before anybody acts on it
    return trouble;
}

void Store::execute(Task& task, Tx& tx, bool shared) {
    // A writer among others gets a savepoint, so that its failure undoes its own work alone.
    if (shared)
        if (auto marked = connection_->run("SAVEPOINT job"); !marked) {
            task.error = marked.error();
            return;
        }
    task.execute(tx);
    task.error = tx.error();
    tx.clear();
    if (!shared) return;
    // where SQLite ended the whole transaction by itself there is no savepoint left, and run_batch() sees that
    if (task.error && !sqlite3_get_autocommit(connection_->handle()))
        if (auto undone = connection_->run("ROLLBACK TO job"); !undone) task.error = undone.error();
    if (sqlite3_get_autocommit(connection_->handle())) return;
    if (auto released = connection_->run("RELEASE job"); !released && !task.error) task.error = released.error();
}

}  // namespace conductor::store
