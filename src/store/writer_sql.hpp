#pragma once

#include "store/statement.hpp"

namespace ashmemo::store {

/// The writer's statements. Each one is prepared at its first use, so that opening stays fast and a
/// program that only reads never prepares them.
struct WriterSql {
  // Transactions.
  Statement begin{"BEGIN IMMEDIATE"};
  Statement commit{"COMMIT"};
  Statement data_version{"PRAGMA data_version"};
  Statement schema_version{"PRAGMA schema_version"};
  Statement read_totals{
      "SELECT entries, bytes, probation_entries, probation_bytes, last_stamp"
      " FROM cache_totals WHERE id = 1"};
  Statement write_totals{
      "UPDATE cache_totals SET entries = ?1, bytes = ?2, probation_entries = ?3,"
      " probation_bytes = ?4, last_stamp = ?5 WHERE id = 1"};
  Statement last_rowid{"SELECT max(rowid) FROM cache_entries WHERE rowid < ?1"};

  // Single entries. A found row is changed by its rowid, which costs one search in the table.
  // reader.hpp explains the join.
  Statement find{
      "SELECT e.rowid, e.byte_size, e.calculation_id, e.computed_at, e.fresh_until, e.expires_at,"
      " e.keep_until, e.access_count, e.eviction_queue, e.cache_key"
      " FROM cache_entries AS k LEFT JOIN cache_entries AS e ON e.rowid = k.rowid"
      " WHERE k.cache_key = ?1"};
  Statement find_at{
      "SELECT rowid, byte_size, calculation_id, computed_at, fresh_until, expires_at, keep_until,"
      " access_count, eviction_queue, cache_key FROM cache_entries WHERE rowid = ?1"};
  Statement rowid_of{"SELECT rowid FROM cache_entries WHERE cache_key = ?1"};
  Statement insert{
      "INSERT INTO cache_entries (rowid, byte_size, inserted_at, computed_at, fresh_until,"
      " expires_at, keep_until, accessed_at, access_count, calculation_id, record_version, cost_us,"
      " eviction_counter, eviction_queue, value, cache_key, checksum)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
      " ON CONFLICT (cache_key) DO NOTHING"};
  Statement update{
      "UPDATE cache_entries SET byte_size = ?2, inserted_at = ?3, computed_at = ?4,"
      " fresh_until = ?5, expires_at = ?6, keep_until = ?7, accessed_at = ?8, access_count = ?9,"
      " calculation_id = ?10, record_version = ?11, cost_us = ?12, eviction_counter = ?13,"
      " value = ?15, checksum = ?17 WHERE rowid = ?1"};
  // The same for a row that keeps its place in its queue. SQLite writes the pages of an index only
  // if the statement names one of its columns. The partial indexes of deadlines cost no page while
  // the row is in none of them.
  Statement update_in_place{
      "UPDATE cache_entries SET byte_size = ?2, computed_at = ?4, fresh_until = ?5,"
      " expires_at = ?6, keep_until = ?7, access_count = ?9, calculation_id = ?10,"
      " record_version = ?11, cost_us = ?12,"
      " eviction_counter = min(max(eviction_counter, 0) + ?13, ?14), value = ?15, checksum = ?17"
      " WHERE rowid = ?1"};
  Statement update_accessed{
      "UPDATE cache_entries SET byte_size = ?2, computed_at = ?4, fresh_until = ?5,"
      " expires_at = ?6, keep_until = ?7, accessed_at = max(accessed_at, ?8), access_count = ?9,"
      " calculation_id = ?10, record_version = ?11, cost_us = ?12,"
      " eviction_counter = min(max(eviction_counter, 0) + ?13, ?14), value = ?15, checksum = ?17"
      " WHERE rowid = ?1"};
  Statement remove{"DELETE FROM cache_entries WHERE rowid = ?1"};
  // Deletes the row only if it is still as it was read, so that its byte_size is certain. A value
  // of a wrong type is compared as it was read. Otherwise such a row could never be deleted.
  Statement remove_candidate{
      "DELETE FROM cache_entries WHERE rowid = ?1"
      " AND coalesce(CAST(cache_key AS BLOB), x'') = ?2"
      " AND coalesce(CAST(inserted_at AS INTEGER), 0) = ?3"
      " AND coalesce(CAST(byte_size AS INTEGER), 0) = ?4"};
  // Counters have a maximum (?4), because SQLite turns a sum that overflows into a real, which the
  // table refuses. The eviction counter gets the reads, too, because the policy later asks for all
  // reads since the row's last placement.
  Statement touch{
      "UPDATE cache_entries SET accessed_at = max(accessed_at, ?2),"
      " access_count = min(access_count, ?4) + ?3,"
      " eviction_counter = min(max(eviction_counter, 0) + ?3, ?5) WHERE rowid = ?1"};
  Statement reinsert{
      "UPDATE cache_entries SET accessed_at = ?2, access_count = min(access_count, ?4) + ?3,"
      " inserted_at = ?5, eviction_counter = ?6, eviction_queue = ?7 WHERE rowid = ?1"};

  // Candidates for deletion. All columns except the rowid and the key are those of a DeletedRow.
  Statement in_key_range{
      "SELECT e.rowid, e.byte_size, e.calculation_id, e.computed_at, e.fresh_until, e.expires_at,"
      " e.keep_until, e.cache_key, e.eviction_queue, k.cache_key"
      " FROM cache_entries AS k LEFT JOIN cache_entries AS e ON e.rowid = k.rowid"
      " WHERE k.cache_key >= ?1 AND k.cache_key < ?2 ORDER BY k.cache_key LIMIT ?3"};
  // Each row with a deadline is in one of the two indexes. Each part reads its index in order, the
  // earliest deadline first, and reads only rows that must be deleted.
  Statement due{
      "SELECT rowid, byte_size, calculation_id, computed_at, fresh_until, expires_at, keep_until,"
      " cache_key, eviction_queue FROM cache_entries INDEXED BY cache_entries_expires_at"
      " WHERE expires_at <= ?1 AND keep_until IS NULL"
      " UNION ALL"
      " SELECT rowid, byte_size, calculation_id, computed_at, fresh_until, expires_at, keep_until,"
      " cache_key, eviction_queue FROM cache_entries INDEXED BY cache_entries_keep_until"
      " WHERE keep_until <= ?1"};
  // Without a policy each value is a new insertion, so that the place of a row is not earlier than
  // the time when it was computed. A row that kept its place under an earlier policy is not found.
  Statement placed_after{
      "SELECT rowid, byte_size, calculation_id, computed_at, fresh_until, expires_at, keep_until,"
      " cache_key, eviction_queue, inserted_at FROM cache_entries"
      " INDEXED BY cache_entries_inserted_at_accessed_at"
      " WHERE inserted_at > ?1 ORDER BY inserted_at"};
  Statement suspect{
      "SELECT rowid, computed_at, fresh_until, expires_at, keep_until, calculation_id,"
      " record_version, cost_us, value, cache_key, checksum, byte_size, eviction_queue"
      " FROM cache_entries WHERE rowid = ?1"};
  Statement after_rowid{
      "SELECT rowid, byte_size, calculation_id, computed_at, fresh_until, expires_at, keep_until,"
      " cache_key, eviction_queue FROM cache_entries WHERE rowid > ?1 ORDER BY rowid"};
  Statement delete_everything{"DELETE FROM cache_entries"};
  Statement oldest{
      "SELECT rowid, cache_key, byte_size, inserted_at, accessed_at, eviction_counter,"
      " eviction_queue FROM cache_entries"
      " WHERE eviction_queue IS NOT 1 ORDER BY inserted_at, accessed_at LIMIT ?1"};
  // The same for the probation queue, through its own index. The condition must be written exactly
  // as in the index.
  Statement oldest_on_probation{
      "SELECT rowid, cache_key, byte_size, inserted_at, accessed_at, eviction_counter,"
      " eviction_queue FROM cache_entries INDEXED BY cache_entries_probation"
      " WHERE eviction_queue = 1 ORDER BY inserted_at LIMIT ?1"};
  Statement place_of{"SELECT byte_size, eviction_queue FROM cache_entries WHERE rowid = ?1"};
  Statement all_sizes{"SELECT byte_size, eviction_queue FROM cache_entries"};

  // Calculations.
  Statement put_calculation{
      "INSERT INTO cache_calculations (id, resource, name, version, policy, retired, hits,"
      " stale_hits, misses, computed, failed, saved_us, result_type)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
      " ON CONFLICT (id) DO UPDATE SET resource = excluded.resource, name = excluded.name,"
      " version = excluded.version, policy = excluded.policy, retired = excluded.retired,"
      " result_type = excluded.result_type,"
      " hits = iif(excluded.retired, excluded.hits, hits),"
      " stale_hits = iif(excluded.retired, excluded.stale_hits, stale_hits),"
      " misses = iif(excluded.retired, excluded.misses, misses),"
      " computed = iif(excluded.retired, excluded.computed, computed),"
      " failed = iif(excluded.retired, excluded.failed, failed),"
      " saved_us = iif(excluded.retired, excluded.saved_us, saved_us)"};
  Statement add_counters{
      "UPDATE cache_calculations SET hits = min(hits, ?8) + ?2, stale_hits = min(stale_hits, ?8) + "
      "?3,"
      " misses = min(misses, ?8) + ?4, computed = min(computed, ?8) + ?5,"
      " failed = min(failed, ?8) + ?6, saved_us = min(saved_us, ?8) + ?7 WHERE id = ?1"};
  Statement retired{"SELECT id FROM cache_calculations WHERE retired <> 0"};
  Statement delete_calculations{"DELETE FROM cache_calculations WHERE id = ?1 AND retired <> 0"};

  // Upkeep.
  Statement free_pages{"PRAGMA freelist_count"};
  Statement all_pages{"PRAGMA page_count"};
};

}  // namespace ashmemo::store
