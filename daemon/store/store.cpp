#include "daemon/store/store.hpp"

namespace conductor::store {

Result<std::unique_ptr<Store>> Store::open(Settings settings, aio::Executor home, aio::Executor worker) {
    auto connection = Connection::open(settings.path, settings.vfs);
    if (!connection) return connection.error();
    if (auto done = migrate(**connection); !done) return done.error();
    return std::unique_ptr<Store>{new Store{std::move(settings), std::move(*connection), std::move(home), std::move(worker)}};
}

Store::Store(Settings settings, std::unique_ptr<Connection> connection, aio::Executor home, aio::Executor worker)
    : settings_{std::move(settings)},
      connection_{std::move(connection)},
      home_{home},
      worker_{std::move(worker)},
      soon_{aio::Timer{home}},
      late_{aio::Timer{home}} {}

Store::~Store() = default;

void Store::submit(std::unique_ptr<Task> task, Urgency urgency) {
    {
        const std::lock_guard lock{mutex_};
        queue_.push_back(std::move(task));
        if (urgency == Urgency::now) {
            if (scheduled_) return;
            scheduled_ = true;
        }
    }
    if (urgency == Urgency::now) return kick();
    if (urgency == Urgency::soon) return kick_after(soon_, settings_.soon);
    kick_after(late_, settings_.late);
}

void Store::kick_after(Delayed& one, std::chrono::milliseconds delay) {
    if (std::exchange(one.armed, true)) return;
    one.timer.expires_after(delay);
    one.timer.async_wait([this, &one](boost::system::error_code ec) {
        one.armed = false;
        if (ec) return;
        {
            const std::lock_guard lock{mutex_};
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
    Tx tx{*connection_};
    const auto writers = std::ranges::count_if(batch, [](const auto& task) { return task->writes; });
    for (auto& task : batch)
        if (!task->writes) execute(*task, tx, false);
    std::optional<Error> trouble;
    if (writers > 0) {
        if (auto begun = connection_->execute("BEGIN IMMEDIATE"); !begun) trouble = begun.error();
        for (auto& task : batch)
            if (task->writes && !trouble) {
                execute(*task, tx, writers > 1);
                // a full disk makes SQLite end the transaction by itself: nothing of this batch is stored
                if (sqlite3_get_autocommit(connection_->handle()))
                    trouble = task->error.value_or(fail(StoreErrc::failed, "transaction ended"));
            }
        const bool alone_failed =
            writers == 1 && !trouble && std::ranges::any_of(batch, [](const auto& t) { return t->writes && t->error; });
        if (!trouble && !alone_failed) {
            if (auto committed = connection_->execute("COMMIT"); !committed) trouble = committed.error();
        }
        if (!sqlite3_get_autocommit(connection_->handle()))
            if (auto undone = connection_->execute("ROLLBACK"); !undone && !trouble) trouble = undone.error();
        ++counted_.commits;
    }
    counted_.jobs += batch.size();
    for (auto& task : batch)
        if (task->writes && trouble) task->error = trouble;
    for (const auto& task : batch) counted_.failures += task->error.has_value();
    boost::asio::post(home_, [this, counters = counted_, trouble, wrote = writers > 0] {
        shown_ = counters;
        if (wrote) trouble_ = trouble;
    });
    for (auto& task : batch) task->complete(task->error);
}

void Store::execute(Task& task, Tx& tx, bool shared) {
    // A writer among others gets a savepoint, so that its failure undoes its own work alone.
    if (shared)
        if (auto marked = connection_->execute("SAVEPOINT job"); !marked) {
            task.error = marked.error();
            return;
        }
    task.execute(tx);
    task.error = tx.error();
    tx.clear();
    if (!shared) return;
    // where SQLite ended the whole transaction by itself there is no savepoint left, and run_batch() sees that
    if (task.error && !sqlite3_get_autocommit(connection_->handle()))
        if (auto undone = connection_->execute("ROLLBACK TO job"); !undone) task.error = undone.error();
    if (sqlite3_get_autocommit(connection_->handle())) return;
    if (auto released = connection_->execute("RELEASE job"); !released && !task.error) task.error = released.error();
}

}  // namespace conductor::store
