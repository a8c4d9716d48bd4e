#include "support/statement_counter.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace ashmemo::test {
namespace {

// Connections may outlive the counter, so the texts belong to no object.
std::mutex mutex;
std::vector<std::string> texts;
bool is_counting = false;

int note(unsigned, void*, void* statement, void*) {
  const char* const sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
  const std::lock_guard lock(mutex);
  if (is_counting && sql != nullptr) texts.emplace_back(sql);
  return 0;
}

int watch(sqlite3* connection, char**, const sqlite3_api_routines*) {
  return sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, note, nullptr);
}

// SQLite takes any function here and calls it with the three parameters of `watch`.
using Extension = void (*)();
Extension extension() { return reinterpret_cast<Extension>(watch); }

}  // namespace

StatementCounter::StatementCounter() {
  {
    const std::lock_guard lock(mutex);
    texts.clear();
    is_counting = true;
  }
  sqlite3_auto_extension(extension());
}

StatementCounter::~StatementCounter() {
  sqlite3_cancel_auto_extension(extension());
  const std::lock_guard lock(mutex);
  is_counting = false;
}

std::vector<std::string> StatementCounter::take() {
  const std::lock_guard lock(mutex);
  return std::exchange(texts, {});
}

int count_of(std::string_view part, const std::vector<std::string>& statements) {
  return static_cast<int>(std::count_if(
      statements.begin(), statements.end(),
      [part](const std::string& sql) { return sql.find(part) != std::string::npos; }));
}

}  // namespace ashmemo::test
