/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_import */
/*
 * What mysqldump and mariadb-dump write, in all the ways that their options allow, and what they would never write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/import/mysql_dump.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };

#define HEAD      "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n\n/*!40101 SET NAMES utf8mb4 */;\n"
#define COMPLETED "\n-- Dump completed on 2026-11-26 11:41:13\n"
#define CREATE                                                                                                          \
    "CREATE TABLE `queue_submission` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `requester_id` varchar(128) NOT "    \
    "NULL,\n  `lms_callback_url` varchar(128) NOT NULL,\n  `queue_name` varchar(128) NOT NULL,\n  `xqueue_header` "     \
    "varchar(1024) NOT NULL,\n  `xqueue_body` longtext NOT NULL,\n  `s3_keys` varchar(1024) NOT NULL,\n  `s3_urls` "    \
    "varchar(1024) NOT NULL,\n  `arrival_time` datetime(6) NOT NULL,\n  `pull_time` datetime(6) DEFAULT NULL,\n  "      \
    "`push_time` datetime(6) DEFAULT NULL,\n  `return_time` datetime(6) DEFAULT NULL,\n  `grader_id` varchar(128) NOT " \
    "NULL,\n  `pullkey` varchar(128) NOT NULL,\n  `grader_reply` longtext NOT NULL,\n  `num_failures` int(11) NOT "     \
    "NULL,\n  `lms_ack` tinyint(1) NOT NULL,\n  `retired` tinyint(1) NOT NULL,\n  PRIMARY KEY (`id`),\n  KEY `a_b` "    \
    "(`queue_name`,`retired`),\n  CONSTRAINT `c` CHECK (`id` > 0)\n) ENGINE=InnoDB AUTO_INCREMENT=91 DEFAULT "          \
    "CHARSET=utf8mb4;\n"
/* A row with this id and body; the body is SQL. */
#define ROW(id_, body_)                                        \
    "(" id_ ",'10.0.0.1','http://lms/cut','cs101','{}'," body_ \
    ",'','','2026-01-02 03:04:05.000006',NULL,NULL,NULL,'','','',0,0,0)"
#define INSERT(rows_) "INSERT INTO `queue_submission` VALUES\n" rows_ ";\n"

/* What was read: "id:body;" for each submission, "@name;" for each user. */
struct reading {
    struct text seen;
    struct legacy_rows rows;
    struct error error;
    /* the input */
    const char *bytes;
    size_t length;
    size_t at;
    size_t piece; /* at most so many bytes at a time */
};

static enum status see_submission(void *context, const struct legacy_submission *submission, struct error *error)
{
    (void)error;
    struct reading *reading = context;
    text_append_format(&reading->seen, "%lld:", (long long)submission->id);
    text_append(&reading->seen, submission->body.bytes, submission->body.length);
    text_append_char(&reading->seen, ';');
    return STATUS_OK;
}

static enum status see_user(void *context, const struct legacy_user *user, struct error *error)
{
    (void)error;
    struct reading *reading = context;
    text_append_char(&reading->seen, '@');
    text_append(&reading->seen, user->name.bytes, user->name.length);
    text_append_char(&reading->seen, ';');
    return STATUS_OK;
}

static int64_t read_piece(void *context, char *out, size_t capacity)
{
    struct reading *reading = context;
    size_t length = reading->length - reading->at;
    length = length < capacity ? length : capacity;
    length = length < reading->piece ? length : reading->piece;
    memcpy(out, reading->bytes + reading->at, length);
    reading->at += length;
    return (int64_t)length;
}

static enum status read_bytes(struct reading *reading, const char *bytes, size_t length, size_t piece, const char *database)
{
    const struct legacy_visitor visitor = {.on_submission = see_submission, .on_user = see_user, .context = reading};
    *reading = (struct reading){.bytes = bytes, .length = length, .piece = piece};
    const struct mysql_input input = {.read = read_piece, .context = reading};
    text_init(&reading->seen, TEXT_MAX);
    legacy_rows_init(&reading->rows, &visitor);
    return mysql_dump_read(&input, database, &reading->rows, &reading->error);
}

/* Reads the dump in pieces of several sizes: always the same is seen. */
static void check_reads(const char *dump, const char *expected, size_t expected_length)
{
    static const size_t pieces[] = {1, 2, 7, 1000000};
    for (size_t at = 0; at < sizeof pieces / sizeof pieces[0]; at++) {
        struct reading reading;
        enum status status = read_bytes(&reading, dump, strlen(dump), pieces[at], NULL);
        if (status != STATUS_OK)
            fail_msg("%s", reading.error.text);
        assert_int_equal(reading.seen.length, expected_length);
        assert_memory_equal(reading.seen.bytes, expected, expected_length);
        text_finish(&reading.seen);
    }
}
#define CHECK_READS(dump, expected) check_reads((dump), (expected), sizeof(expected) - 1)

static void check_refuses(const char *dump, const char *part)
{
    struct reading reading;
    enum status status = read_bytes(&reading, dump, strlen(dump), 3, NULL);
    assert_int_equal(status, STATUS_INVALID);
    if (!strstr(reading.error.text, part))
        fail_msg("'%s' does not say '%s'", reading.error.text, part);
    text_finish(&reading.seen);
}

static void a_plain_dump_is_read(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE INSERT(ROW("3", "'one'") ",\n" ROW("4", "'two'")) COMPLETED, "3:one;4:two;");
}

static void one_insert_for_each_row_is_read(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE INSERT(ROW("3", "'one'")) INSERT(ROW("4", "'two'")) "REPLACE INTO `queue_submission` VALUES " ROW(
                    "5", "'three'") ";INSERT  IGNORE INTO `queue_submission` VALUES " ROW("6", "''") ";" COMPLETED,
                "3:one;4:two;5:three;6:;");
}

static void all_escapes_of_a_dump_are_resolved(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE INSERT(ROW("1", "'\\0\\'\\\"\\b\\n\\r\\t\\Z\\\\\\%\\_\\x it''s \"\" `'")) COMPLETED,
                "1:\0'\"\b\n\r\t\x1a\\\\%\\_x it's \"\" `;");
}

static void a_text_in_double_quotes_is_a_text(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE INSERT(ROW("1", "\"it's \"\"so\"\" \\\" ''\"")) COMPLETED, "1:it's \"so\" \" '';");
}

static void raw_bytes_and_characters_of_any_length_stay(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE INSERT(ROW("1", "'\xf0\x9f\x98\x80 \xc3\xa9\n-- Dump completed\n/* ; */ # '")) COMPLETED,
                "1:\xf0\x9f\x98\x80 \xc3\xa9\n-- Dump completed\n/* ; */ # ;");
}

static void hexadecimal_and_introduced_texts_are_bytes(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE INSERT(ROW("1", "0x007f41") "," ROW("2", "x'4142'") "," ROW("3", "_binary 'a\\0'") "," ROW(
                    "4", "_binary 0x41") "," ROW("5", "X''") "," ROW("6", "-17") "," ROW("7", "NULL")) COMPLETED,
                "1:\0\x7f"
                "A;2:AB;3:a\0;4:A;5:;6:-17;7:;");
}

static void backslashes_are_themselves_where_the_dump_says_so(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES' */;"
                            "INSERT INTO `queue_submission` VALUES " ROW(
                                "1", "'C:\\new\\'") ";"
                                                    "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;"
                                                    "INSERT INTO `queue_submission` VALUES " ROW("2", "'a\\nb'") ";" COMPLETED,
                "1:C:\\new\\;2:a\nb;");
}

static void names_may_stand_in_double_quotes(void **state)
{
    (void)state;

    CHECK_READS("/*!40101 SET NAMES utf8mb4 */;/*!40101 SET SQL_MODE='ANSI' */;CREATE TABLE \"other\" (\"a\\\" int);"
                "CREATE TABLE \"auth_user\" (\"id\" int, \"password\" varchar(128), \"username\" varchar(150), \"is_active\" "
                "tinyint(1), PRIMARY KEY (\"id\"));INSERT INTO \"auth_user\" VALUES (1,'x','ann',1);" HEAD CREATE COMPLETED,
                "@ann;");
}

static void a_mode_comes_back_from_the_variable_that_kept_it(void **state)
{
    (void)state;

    CHECK_READS(HEAD "SET SQL_MODE='ANSI';" CREATE "SET @saved = @@sql_mode ; SET sql_mode = '' ; SET sql_mode = @saved;"
                     "DROP TABLE \"x\\\";" INSERT(ROW("1", "'one'")) COMPLETED,
                "1:one;");
}

static void a_mode_may_be_set_in_any_way(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE "SET SESSION sql_mode='NO_BACKSLASH_ESCAPES', a = b;" INSERT(
                    ROW("1", "'\\'")) "SET SESSION sql_mode = '';"
                                      "SET @@session.sql_mode = 'no_backslash_escapes';" INSERT(ROW("2", "'\\'")) COMPLETED,
                "1:\\;2:\\;");
}

/* What MySQL 8 writes where MariaDB writes something else. */
static void a_dump_of_mysql_8_is_read(void **state)
{
    (void)state;

    CHECK_READS("-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n/*!50503 SET NAMES utf8mb4 */;\n"
                "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\nSET @@SESSION.SQL_LOG_BIN= 0;\n"
                "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';\n"
                "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `xqueue` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE "
                "utf8mb4_0900_ai_ci */ /*!80016 DEFAULT ENCRYPTION='N' */;\nUSE `xqueue`;\n"
                "/*!50503 SET character_set_client = utf8mb4 */;\n" CREATE INSERT(
                    ROW("1", "_utf8mb4'b'")) "SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n" COMPLETED,
                "1:b;");
}

static void a_list_of_columns_says_which_is_which(void **state)
{
    (void)state;

    CHECK_READS(HEAD
                "INSERT INTO `queue_submission` (`xqueue_body`, `id`, `queue_name`, `xqueue_header`, s3_urls, `arrival_time`,"
                " `pull_time`, `pullkey`, `grader_id`, `return_time`, `grader_reply`, `num_failures`, `lms_ack`, `retired`)"
                " VALUES ('b',9,'q','{}','','2026-01-02 03:04:05',NULL,'','',NULL,'',0,0,0);" COMPLETED,
                "9:b;");
}

static void other_tables_are_skipped_whatever_is_in_them(void **state)
{
    (void)state;

    CHECK_READS(
        HEAD "CREATE TABLE `z` (`a` enum('INSERT INTO `queue_submission` VALUES (1)',';') DEFAULT ';');\n"
             "INSERT INTO `z` VALUES (1.5e+10,-1,b'01','; INSERT INTO `queue_submission` VALUES (7);',0x,"
             "'\\\\'),(NULL,'\\'','');\n"
             "CREATE VIEW `queue_submission_view` AS select 1;\n"
             "LOCK TABLES `queue_submission` WRITE;\n/*!40000 ALTER TABLE `queue_submission` DISABLE KEYS */;\n" CREATE INSERT(
                 ROW("1", "'b'")) "UNLOCK TABLES;\n" COMPLETED,
        "1:b;");
}

static void a_trigger_that_inserts_is_no_row(void **state)
{
    (void)state;

    CHECK_READS(HEAD CREATE "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 TRIGGER t BEFORE INSERT ON"
                            " queue_submission FOR EACH ROW BEGIN SET NEW.id = 1;\nINSERT INTO `queue_submission` VALUES (1);"
                            " END */;;\nDELIMITER ;\n" INSERT(ROW("1", "'b'")) COMPLETED,
                "1:b;");
}

static void the_next_id_of_the_table_counts(void **state)
{
    (void)state;
    struct reading reading;
    static const char dump[] = HEAD CREATE INSERT(ROW("3", "'one'")) COMPLETED;

    assert_int_equal(read_bytes(&reading, dump, strlen(dump), 100, NULL), STATUS_OK);

    assert_int_equal(reading.rows.id_max, 90);
    text_finish(&reading.seen);
}

static void a_dump_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char dump[] = HEAD CREATE INSERT(ROW("3", "'o\\'ne'") ",\n" ROW("4", "0x41")) "/* c */ -- d\n" COMPLETED;
    const size_t needed = strlen(dump) - strlen(" on 2026-11-26 11:41:13\n");

    for (size_t length = 0; length < needed; length++) {
        struct reading reading;
        enum status status = read_bytes(&reading, dump, length, 1000, NULL);
        if (status != STATUS_INVALID)
            fail_msg("%zu bytes: %s", length, status_name(status));
        text_finish(&reading.seen);
    }
    CHECK_READS(dump, "3:o'ne;4:A;");
}

static void what_comes_after_the_completion_must_be_complete_too(void **state)
{
    (void)state;

    check_refuses(HEAD CREATE COMPLETED INSERT(ROW("3", "'one'")), "-- Dump completed");
    CHECK_READS(HEAD CREATE COMPLETED HEAD INSERT(ROW("3", "'one'")) COMPLETED, "3:one;");
}

static void rows_without_columns_are_refused_with_the_option_that_helps(void **state)
{
    (void)state;

    check_refuses(HEAD INSERT(ROW("3", "'one'")) COMPLETED, "--no-create-info");
}

static void a_dump_in_another_charset_is_refused(void **state)
{
    (void)state;

    check_refuses("/*!40101 SET NAMES latin1 */;" CREATE COMPLETED, "--default-character-set=utf8mb4");
    check_refuses(CREATE INSERT(ROW("1", "'b'")) COMPLETED, "--set-charset");
    check_refuses(HEAD CREATE INSERT(ROW("1", "'\xe9'")) COMPLETED, "xqueue_body of 1 ");
}

static void a_dump_without_the_tables_is_refused(void **state)
{
    (void)state;

    check_refuses(HEAD "CREATE TABLE `a` (`b` int);" COMPLETED, "no table queue_submission");
    check_refuses(HEAD "CREATE TABLE `queue_submission` (`id` int);" COMPLETED, "no column queue_name");
}

static void what_no_dump_holds_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "(1",
        "(1,",
        "()",
        "1",
        "(1,2)",
        "",
        ROW("1", "'b' 'c'"),
        ROW("1", "'b'") "x",
        ROW("1", "NOW()"),
        ROW("1", "b"),
        ROW("1", "0x4"),
        ROW("1", "0x4g"),
        ROW("1", "x'4'"),
        ROW("1", "-"),
        ROW("1", "- 'a'"),
        ROW("1", "_utf8"),
        ROW("1", ""),
        ROW("-1", "''"),
        ROW("0", "''"),
        ROW("NULL", "''"),
        ROW("'x'", "''"),
        ROW("1", "''") ",",
    };
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++) {
        struct text dump;
        struct reading reading;
        text_init(&dump, TEXT_MAX);
        text_append_format(&dump, "%sINSERT INTO `queue_submission` VALUES %s;%s", HEAD CREATE, rows[at], COMPLETED);
        if (read_bytes(&reading, dump.bytes, dump.length, 11, NULL) != STATUS_INVALID)
            fail_msg("%s", rows[at]);
        text_finish(&reading.seen);
        text_finish(&dump);
    }
    check_refuses(HEAD "CREATE TABLE `queue_submission`;" COMPLETED, "no columns");
    check_refuses(HEAD "CREATE TABLE `queue_submission` (`id` int;" COMPLETED, "no end");
    check_refuses(HEAD CREATE "INSERT INTO `queue_submission` SELECT 1;" COMPLETED, "without VALUES");
    check_refuses(HEAD "DELIMITER \n" COMPLETED, "DELIMITER");
}

#define IN_DATABASE(name_, id_) "USE `" name_ "`;\n" CREATE INSERT(ROW(id_, "'of " name_ "'"))
#define USERS_OF(name_)                                                                                     \
    "USE `" name_ "`;\nCREATE TABLE `auth_user` (`password` text, `username` text, `is_active` tinyint);\n" \
    "INSERT INTO `auth_user` VALUES ('p','ann of " name_ "',1);\n"

static void one_of_several_databases_must_be_chosen(void **state)
{
    (void)state;
    static const char dump[] =
        HEAD USERS_OF("lms") IN_DATABASE("old", "1") IN_DATABASE("xqueue", "2") USERS_OF("xqueue") COMPLETED;
    struct reading reading;

    check_refuses(dump, "--database");
    check_refuses(HEAD USERS_OF("lms") IN_DATABASE("xqueue", "2") COMPLETED, "--database");
    assert_int_equal(read_bytes(&reading, dump, strlen(dump), 5, "xqueue"), STATUS_OK);
    assert_string_equal(reading.seen.bytes, "2:of xqueue;@ann of xqueue;");
    text_finish(&reading.seen);
    assert_int_equal(read_bytes(&reading, dump, strlen(dump), 5, "none"), STATUS_INVALID);
    assert_non_null(strstr(reading.error.text, "none"));
    text_finish(&reading.seen);
    CHECK_READS(HEAD IN_DATABASE("xqueue", "2") USERS_OF("xqueue") COMPLETED, "2:of xqueue;@ann of xqueue;");
}

/* A row whose body has length bytes. */
static char *dump_with_body(size_t length, const char *retired)
{
    struct text dump;
    char *body = memory_allocate(length + 1);
    memset(body, 'b', length);
    text_init(&dump, TEXT_MAX);
    text_append_string(&dump, HEAD CREATE "INSERT INTO `queue_submission` VALUES (1,'','','q','{}','");
    text_append(&dump, body, length);
    text_append_format(&dump, "','','','2026-01-02 03:04:05',NULL,NULL,NULL,'','','',0,0,%s);%s", retired, COMPLETED);
    memory_free(body);
    char *bytes = text_take(&dump, NULL);
    text_finish(&dump);
    return bytes;
}

static void a_value_beyond_the_limit_is_refused_unless_nobody_needs_it(void **state)
{
    (void)state;
    struct reading reading;
    char *good = dump_with_body(MYSQL_VALUE_BYTES_MAX, "0");
    char *bad = dump_with_body(MYSQL_VALUE_BYTES_MAX + 1, "0");
    char *over = dump_with_body(MYSQL_VALUE_BYTES_MAX + 1, "1");

    assert_int_equal(read_bytes(&reading, good, strlen(good), SIZE_MAX, NULL), STATUS_OK);
    assert_int_equal(reading.seen.length, strlen("1:;") + MYSQL_VALUE_BYTES_MAX);
    text_finish(&reading.seen);
    assert_int_equal(read_bytes(&reading, bad, strlen(bad), SIZE_MAX, NULL), STATUS_FULL);
    assert_non_null(strstr(reading.error.text, "xqueue_body of 1"));
    text_finish(&reading.seen);
    assert_int_equal(read_bytes(&reading, over, strlen(over), SIZE_MAX, NULL), STATUS_OK);
    text_finish(&reading.seen);
    memory_free(good);
    memory_free(bad);
    memory_free(over);
}

static int64_t fail_to_read(void *context, char *out, size_t capacity)
{
    (void)context;
    (void)out;
    (void)capacity;
    return -1;
}

static void a_source_that_cannot_be_read_is_no_short_dump(void **state)
{
    (void)state;
    const struct mysql_input input = {.read = fail_to_read};
    struct legacy_rows rows;
    struct error error = {0};
    legacy_rows_init(&rows, &(struct legacy_visitor){0});

    assert_int_equal(mysql_dump_read(&input, NULL, &rows, &error), STATUS_DATA_LOSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_dump_is_read),
        cmocka_unit_test(one_insert_for_each_row_is_read),
        cmocka_unit_test(all_escapes_of_a_dump_are_resolved),
        cmocka_unit_test(a_text_in_double_quotes_is_a_text),
        cmocka_unit_test(raw_bytes_and_characters_of_any_length_stay),
        cmocka_unit_test(hexadecimal_and_introduced_texts_are_bytes),
        cmocka_unit_test(backslashes_are_themselves_where_the_dump_says_so),
        cmocka_unit_test(names_may_stand_in_double_quotes),
        cmocka_unit_test(a_mode_comes_back_from_the_variable_that_kept_it),
        cmocka_unit_test(a_mode_may_be_set_in_any_way),
        cmocka_unit_test(a_dump_of_mysql_8_is_read),
        cmocka_unit_test(a_list_of_columns_says_which_is_which),
        cmocka_unit_test(other_tables_are_skipped_whatever_is_in_them),
        cmocka_unit_test(a_trigger_that_inserts_is_no_row),
        cmocka_unit_test(the_next_id_of_the_table_counts),
        cmocka_unit_test(a_dump_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(what_comes_after_the_completion_must_be_complete_too),
        cmocka_unit_test(rows_without_columns_are_refused_with_the_option_that_helps),
        cmocka_unit_test(a_dump_in_another_charset_is_refused),
        cmocka_unit_test(a_dump_without_the_tables_is_refused),
        cmocka_unit_test(what_no_dump_holds_is_refused),
        cmocka_unit_test(one_of_several_databases_must_be_chosen),
        cmocka_unit_test(a_value_beyond_the_limit_is_refused_unless_nobody_needs_it),
        cmocka_unit_test(a_source_that_cannot_be_read_is_no_short_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
