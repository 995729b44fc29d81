/* SPDX-License-Identifier: Apache-2.0 */
#include "dsl/vectors.h"

#define EMPTY    "\\\"\\\"" /* how an empty value arrives: backslash quote backslash quote */
#define PARTS    "no whitespace allowed between components in a destination name"
#define CHANNELS "do not use || between source/processor/sink apps in a stream, use |"

/* A table, one definition a row. */
/* clang-format off */
const struct dsl_vector dsl_vectors[] = {
/* apps, labels, types */
{"001", NULL, "foo", "A foo", NULL},
{"002", NULL, "gemfire-cq", "A gemfire-cq", NULL},
{"003", NULL, "time | log", "S time >test.time ; K log <test.time", NULL},
{"004", NULL, "time|log", "S time >test.time ; K log <test.time", NULL},
{"005", NULL, "cardata | predict | cassandra", "S cardata >test.cardata ; P predict <test.cardata >test.predict ; K cassandra <test.predict", NULL},
{"006", NULL, "a: time | b: log", "S a(time) >test.a ; K b(log) <test.a", NULL},
{"007", NULL, "label: http", "A label(http)", NULL},
{"008", NULL, "file | out: file", "S file >test.file ; K out(file) <test.file", NULL},
{"009", NULL, "time | time", "ERR 143@7", "label 'time' should be unique but app 'time' (at position 0) and app 'time' (at position 1) both use it"},
{"010", NULL, "xxx: http | xxx: file", "ERR 143@12", "label 'xxx' should be unique but app 'http' (at position 0) and app 'file' (at position 1) both use it"},
{"011", NULL, "http | filter | transform | transform | file", "ERR 143@28", "label 'transform' should be unique but app 'transform' (at position 2) and app 'transform' (at position 3) both use it"},
{"012", NULL, "http | foo: goggle: bar | file", "ERR 156@12", "multiple labels are not supported"},
{"013", NULL, "http | foo :bar | file", "ERR 100@11", "Found unexpected data after stream definition: ':'"},
{"014", NULL, "a:time | log", "ERR 147@2", "whitespace is expected after an app label"},
{"015", NULL, "label: | bar", "ERR 111@7", "Unexpected token.  Expected 'identifier' but was '|'"},
{"016", NULL, "label:", "ERR 112@6", "Unexpectedly ran out of input"},
{"017", NULL, ":", "ERR 148@0", "stream name is expected after an app label"},
{"018", NULL, "1foo | log", "S 1foo >test.1foo ; K log <test.1foo", NULL},
{"019", NULL, "foo$ | log", "S foo$ >test.foo$ ; K log <test.foo$", NULL},
{"020", NULL, "$foo | log", "ERR 115@0", "unexpected data in stream definition '$'"},
{"021", NULL, "-foo | log", "ERR 108@0", "missing expected character '-'"},
{"022", NULL, "foo.bar | log", "ERR 100@3", "Found unexpected data after stream definition: '.'"},
{"023", NULL, "foo bar", "ERR 100@4", "Found unexpected data after stream definition: 'bar'"},
{"024", NULL, "foo ; bar", "ERR 100@4", "Found unexpected data after stream definition: ';'"},
{"025", NULL, "foo, bar", "ERR 115@3", "unexpected data in stream definition ','"},
{"026", NULL, "foo\n| bar", "ERR 100@3", "Found unexpected data after stream definition: '\n'"},
{"027", NULL, "foo |\tbar", "S foo >test.foo ; K bar <test.foo", NULL},
{"028", NULL, "foo |", "ERR 112@5", NULL},
{"029", NULL, "| foo", "ERR 118@0", "expected app name but found '|'"},
{"030", NULL, "foo | | bar", "ERR 118@6", "expected app name but found '|'"},
{"031", NULL, ".", "ERR 118@0", "expected app name but found '.'"},
/* stream names */
{"032", NULL, "mystream = http | file", "S http >test.http ; K file <test.http", NULL},
{"033", NULL, "foo=a|b", "S a >test.a ; K b <test.a", NULL},
{"034", NULL, "foo--x=13", "A 13", NULL},
{"035", NULL, "* = http | file", "ERR 122@0", "illegal name for a stream '*'"},
{"036", NULL, "9foo = http | log", "ERR 122@0", "illegal name for a stream '9foo'"},
{"037a", "-bar", "a | b", "ERR 122@0", "illegal name for a stream '-bar'"},
{"037b", "0foo", "a | b", "ERR 122@0", "illegal name for a stream '0foo'"},
{"037c", "foo.bar", "a | b", "ERR 122@0", "illegal name for a stream 'foo.bar'"},
{"037d", "foo%bar", "a | b", "ERR 122@0", "illegal name for a stream 'foo%bar'"},
{"037e", "", "a | b", "ERR 122@0", "illegal name for a stream ''"},
{"038a", "foo-bar", "a | b", "S a >foo-bar.a ; K b <foo-bar.a", NULL},
{"038b", "foo_bar", "a | b", "S a >foo_bar.a ; K b <foo_bar.a", NULL},
{"038c", "foo-", "a | b", "S a >foo-.a ; K b <foo-.a", NULL},
{"038d", "$foo", "a | b", "S a >$foo.a ; K b <$foo.a", NULL},
/* options */
{"039", NULL, "foo --x=1 --y=two | bar --z=3", "S foo{x=1,y=two} >test.foo ; K bar{z=3} <test.foo", NULL},
{"040", NULL, "foo --a.b.c=1 | bar", "S foo{a.b.c=1} >test.foo ; K bar <test.foo", NULL},
{"041", NULL, "foo --x.y-z_1=v | bar", "S foo{x.y-z_1=v} >test.foo ; K bar <test.foo", NULL},
{"042", NULL, "foo --1a=1 | bar", "S foo{1a=1} >test.foo ; K bar <test.foo", NULL},
{"043", NULL, "foo --$b=1 | bar", "ERR 115@6", "unexpected data in stream definition '$'"},
{"044", NULL, "foo --a[0]=1 | bar", "ERR 115@7", "unexpected data in stream definition '['"},
{"045", NULL, "foo --x=1 --x=2 | bar", "S foo{x=2} >test.foo ; K bar <test.foo", NULL},
{"046", NULL, "foo --x=a=b==c | bar", "S foo{x=a=b==c} >test.foo ; K bar <test.foo", NULL},
{"047", NULL, "foo --x==5 | bar", "S foo{x==5} >test.foo ; K bar <test.foo", NULL},
{"048", NULL, "foo --x=a,b,c | bar", "S foo{x=a,b,c} >test.foo ; K bar <test.foo", NULL},
{"049", NULL, "foo --x=a\\b | bar", "S foo{x=a\\b} >test.foo ; K bar <test.foo", NULL},
{"050", NULL, "foo --x=1--y=2 | bar", "S foo{x=1--y=2} >test.foo ; K bar <test.foo", NULL},
{"051", NULL, "foo --expression=--payload | bar", "S foo{expression=--payload} >test.foo ; K bar <test.foo", NULL},
{"052", NULL, "foo --x=#jsonPath(payload,'$.lang')=='en' | bar", "S foo{x=#jsonPath(payload,'$.lang')=='en'} >test.foo ; K bar <test.foo", NULL},
{"053", NULL, "foo --x=a|b", "S foo{x=a} >test.foo ; K b <test.foo", NULL},
{"054", NULL, "foo --x='a|b' | bar", "S foo{x=a|b} >test.foo ; K bar <test.foo", NULL},
{"055", NULL, "foo --x=a;b | bar", "ERR 100@9", "Found unexpected data after stream definition: ';'"},
{"056", NULL, "foo --x='a;b' | bar", "S foo{x=a;b} >test.foo ; K bar <test.foo", NULL},
{"057", NULL, "foo --x=a>b | bar", "ERR 133@10", "Expected destination prefix but found 'b'"},
{"058", NULL, "foo --x='a>b' | bar", "S foo{x=a>b} >test.foo ; K bar <test.foo", NULL},
{"059", NULL, "foo --x=a b | bar", "ERR 100@10", "Found unexpected data after stream definition: 'b'"},
{"060", NULL, "foo --x='a b' | bar", "S foo{x=a b} >test.foo ; K bar <test.foo", NULL},
{"061", NULL, "foo --x='a\nb' | bar", "S foo{x=a\nb} >test.foo ; K bar <test.foo", NULL},
{"062", NULL, "foo --x=", "ERR 112@8", NULL},
{"063", NULL, "foo --x= --y=1", "ERR 105@9", "Expected an argument value but was 'null'"},
{"064a", NULL, "aaa --bbb=|", "ERR 105@10", "Expected an argument value but was '|'"},
{"064b", NULL, "aaa --bbb=;", "ERR 105@10", "Expected an argument value but was ';'"},
{"064c", NULL, "aaa --bbb=>", "ERR 105@10", "Expected an argument value but was '>'"},
{"065", NULL, "aaa --bbb=\t --c=d", "ERR 105@12", "Expected an argument value but was 'null'"},
{"066", NULL, "aaa --bbb=\n --c=d", "ERR 105@10", "Expected an argument value but was 'null'"},
{"067", NULL, "foo -- a=1", "ERR 101@7", "No whitespace allowed between -- and option name"},
{"068", NULL, "foo --a =1", "ERR 102@8", "No whitespace allowed after argument name and before ="},
{"069", NULL, "foo --a= 1", "ERR 103@9", "No whitespace allowed after = and before option value"},
{"070", NULL, "foo --b= 'x' | bar", "S foo{b=x} >test.foo ; K bar <test.foo", NULL},
{"071", NULL, "foo --a.=1", "ERR 111@8", "Unexpected token.  Expected 'identifier' but was '='"},
{"072", NULL, "foo --a .b=1", "ERR 145@8", "no whitespace is allowed between dot and components of a name"},
{"073", NULL, "foo --a. b=1", "ERR 145@9", NULL},
{"074", NULL, "foo --a", "ERR 112@7", NULL},
{"075", NULL, "foo -a=1", "ERR 108@4", "missing expected character '-'"},
{"076", NULL, "foo --x:y=1", "ERR 111@7", "Unexpected token.  Expected 'equals(=)' but was ':'"},
/* quoting */
{"077", NULL, "foo --x='it''s' | bar", "S foo{x=it's} >test.foo ; K bar <test.foo", NULL},
{"078", NULL, "foo --x=\"a'b\" | bar", "S foo{x=a'b} >test.foo ; K bar <test.foo", NULL},
{"079", NULL, "foo --x='a\"b\"c' | bar", "S foo{x=a\"b\"c} >test.foo ; K bar <test.foo", NULL},
{"080", NULL, "foo --x=\"say \"\"hi\"\"\" | bar", "S foo{x=\"say \"\"hi\"\"\"} >test.foo ; K bar <test.foo", NULL},
{"081", NULL, "foo --expression='''Hello''' | bar", "S foo{expression='Hello'} >test.foo ; K bar <test.foo", NULL},
{"082", NULL, "foo --x=''''", "A foo{x='}", NULL},
{"083", NULL, "foo --x=''", "A foo{x=" EMPTY "}", NULL},
{"083b", NULL, "foo --x=\"\"", "A foo{x=" EMPTY "}", NULL},
{"084", NULL, "foo --x='   ' | bar", "S foo{x=" EMPTY "} >test.foo ; K bar <test.foo", NULL},
{"085", NULL, "foo --expression='hi'+'world' | bar", "S foo{expression='hi'+'world'} >test.foo ; K bar <test.foo", NULL},
{"086", NULL, "foo --x='a'b'c' | bar", "S foo{x='a'b'c'} >test.foo ; K bar <test.foo", NULL},
{"087", NULL, "foo --x=a'b c'd | bar", "S foo{x=a'b c'd} >test.foo ; K bar <test.foo", NULL},
{"088", NULL, "foo --expression=''Hello, world!'' | bar", "ERR 115@31", "unexpected data in stream definition '!'"},
{"089", NULL, "foo --x='a' 'b' | bar", "ERR 100@12", "Found unexpected data after stream definition: ''b''"},
{"090", NULL, "foo --x='abc", "ERR 107@8", "Cannot find terminating ' for string"},
{"091", NULL, "foo --x=\"abc", "ERR 106@8", "Cannot find terminating \" for string"},
{"092", NULL, "foo --x='", "ERR 107@8", NULL},
{"092b", NULL, "foo --x=\"", "ERR 106@8", NULL},
{"093", NULL, "foo --x=it's | bar", "A foo{x=it's | bar}", NULL},
{"094", NULL, "foo --x='a\\'b' | bar", "A foo{x='a\\'b' | bar}", NULL},
{"095", NULL, "foo \\ bar", "ERR 114@4", "unexpected escape character."},
{"096", NULL, "foo \"x | bar", "ERR 106@4", NULL},
{"096b", NULL, "foo 'x | bar", "ERR 107@4", NULL},
/* destinations, taps, bridge */
{"097", NULL, ":topic > log", "K log <topic", NULL},
{"098", NULL, ":topic > log | x", "P log <topic >test.log ; K x <test.log", NULL},
{"099", NULL, "time > :topic", "S time >topic", NULL},
{"100", NULL, ":a > b > :c", "P b <a >c", NULL},
{"101", NULL, ":a > :b", "P bridge <a >b", NULL},
{"102", NULL, ":mystream.time > log", "K log <mystream.time", NULL},
{"103", NULL, ":my-stream.my_label > x: log", "K x(log) <my-stream.my_label", NULL},
{"104", NULL, ":a.b.c.d > log", "K log <a.b.c.d", NULL},
{"105", NULL, ":test --group=g1 > file", "K file <test g=g1", NULL},
{"106", NULL, ":test --group=g1 --foo=x > file", "K file <test g=g1", NULL},
{"107", NULL, ":test > file --group=g2", "K file{group=g2} <test", NULL},
{"108", NULL, "time > :t --group=x", "S time >t", NULL},
{"109a", NULL, ":a/*# > log", "K log <a/*#", NULL},
{"109b", NULL, ":*foo > log", "K log <*foo", NULL},
{"109c", NULL, ":a.* > log", "K log <a.*", NULL},
{"110", NULL, ": foo > log", "K log <foo", NULL},
{"111", NULL, ":a > :b | c", "ERR 118@5", "expected app name but found ':'"},
{"112", NULL, ":foo >", "ERR 112@6", NULL},
{"113", NULL, ":foo > :", "ERR 112@7", NULL},
{"114", NULL, "::foo > log", "ERR 171@1", "unexpected data in destination name ':'"},
{"115", NULL, ":foo | bar", "ERR 118@0", "expected app name but found ':'"},
{"116", NULL, ":foo > *", "ERR 118@7", "expected app name but found '*'"},
{"117", NULL, ":foo > --2323", "ERR 118@7", "expected app name but found '--'"},
{"118", NULL, "foo > bar", "ERR 133@6", "Expected destination prefix but found 'bar'"},
{"119", NULL, "foo | bar > baz", "ERR 133@12", "Expected destination prefix but found 'baz'"},
{"120", NULL, "http > :test value", "ERR 100@13", "Found unexpected data after stream definition: 'value'"},
{"121", NULL, "http > :a > :b", "ERR 100@10", "Found unexpected data after stream definition: '>'"},
{"122", NULL, ":boo .xx > file", "ERR 139@5", PARTS},
{"123", NULL, ":boo. xx > file", "ERR 139@6", PARTS},
{"124", NULL, ":foo. > log", "ERR 139@6", PARTS},
{"125", NULL, ":foo bar > log", "ERR 111@5", "Unexpected token.  Expected 'gt(>)' but was 'bar'"},
{"126", NULL, "foo >", "ERR 112@5", NULL},
{"127", NULL, "time >:a", "S time >a", NULL},
{"128a", NULL, ":a>log", "K log <a", NULL},
{"128b", NULL, ":a>:b", "P bridge <a >b", NULL},
{"128c", NULL, ":a:b > log", "ERR 111@2", "Unexpected token.  Expected 'gt(>)' but was ':'"},
{"128d", NULL, ":a*--group=g > log", "ERR 119@3", "expected whitespace after app name and before argument"},
{"129", NULL, "foo > :a.", "ERR 139@9", PARTS},
{"129b", NULL, ":a.>log", "ERR 139@3", PARTS},
{"129c", NULL, ":a..b > log", "K log <a..b", NULL},
/* double pipe */
{"130", NULL, "foo || bar", "A foo ; A bar", NULL},
{"131", NULL, "foo||bar||baz", "A foo ; A bar ; A baz", NULL},
{"132", NULL, "a: foo || b: foo", "A a(foo) ; A b(foo)", NULL},
{"133", NULL, "foo || foo", "ERR 143@7", NULL},
{"134", NULL, "foo --x='a'|| bar", "A foo{x=a} ; A bar", NULL},
{"135", NULL, "aaa --bbb=ccc,", "A aaa{bbb=ccc,}", NULL},
{"136", NULL, "aaa --bbb=ccc||", "ERR 112@15", NULL},
{"137", NULL, "foo || bar | baz", "ERR 169@11", "do not mix | and || when specifying a list of applications"},
{"138", NULL, "foo | bar || baz", "ERR 169@10", NULL},
{"139", NULL, ":a > foo || bar", "ERR 170@9", CHANNELS},
{"140", NULL, "foo || bar > :z", "ERR 170@4", CHANNELS},
{"140b", NULL, "foo || bar || b > :z", "ERR 170@11", CHANNELS},
/* binding options */
{"141", NULL, "foo --inputType=text/plain | bar --OUTPUTTYPE=a/b", "S foo{spring.cloud.stream.bindings.input.contentType=text/plain} >test.foo ; K bar{spring.cloud.stream.bindings.output.contentType=a/b} <test.foo", NULL},
{"142", NULL, "foo --spring.cloud.stream.bindings.output.destination=q | bar", "S foo >test.foo ; K bar <test.foo", NULL},
{"143", NULL, "foo --spring.cloud.stream.bindings.input.destination=q | bar", "S foo <q >test.foo ; K bar <test.foo", NULL},
/* more of the same rules */
{"e01", NULL, "", "ERR 112@0", NULL},
{"e02", NULL, "  \t ", "ERR 112@4", NULL},
{"e03", NULL, "foo=:t > log", "ERR 133@9", "Expected destination prefix but found 'log'"},
{"e04", NULL, "foo = :t > log", "K log <t", NULL},
{"e05", NULL, "foo == x", "ERR 100@7", "Found unexpected data after stream definition: 'x'"},
{"e06", NULL, "foo='x' | log", "ERR 118@4", "expected app name but found ''x''"},
{"e07", NULL, "foo=a(b) --x=1 | log", "S a(b){x=1} >test.a(b) ; K log <test.a(b)", NULL},
{"e08", NULL, "foo --x=\"a\"b\"", "A foo{x=a\"b}", NULL},
{"e08b", NULL, "foo --x=\"a\"b\" | bar\"", "A foo{x=\"a\"b\" | bar\"}", NULL},
{"e09", NULL, "foo --x='a'''b'", "A foo{x=a''b}", NULL},
{"e10", NULL, "foo --x= \"say \"\"hi\"\"\" | bar", "S foo{x=say \"hi\"} >test.foo ; K bar <test.foo", NULL},
{"e11", NULL, "foo --=1", "ERR 111@6", "Unexpected token.  Expected 'identifier' but was '='"},
{"e12", NULL, "foo --inputType='' --outputType=' '", "A foo{spring.cloud.stream.bindings.input.contentType=,spring.cloud.stream.bindings.output.contentType= }", NULL},
{"e13", NULL, ":a --GROUP=x --group=y > b", "K b <a g=y", NULL},
{"e14", NULL, ":a --group='' > b", "K b <a g=", NULL},
{"e15", NULL, "a > :b.c/d", "S a >b.c/d", NULL},
{"e16", NULL, "http | f\xc3\xbcr", "ERR 115@8", "unexpected data in stream definition '\xc3\xbc'"},
{"e17", NULL, "a --x='\xf0\x9f\x9a\x97\xc3\xa4' | b ; c", "ERR 100@16", "Found unexpected data after stream definition: ';'"},
{"e18", NULL, "a --x=\xf0\x9f\x9a\x97 | b", "S a{x=\xf0\x9f\x9a\x97} >test.a ; K b <test.a", NULL},
{"e19", NULL, "a --x=1 --y=2 --x=3", "A a{x=3,y=2}", NULL},
{"e20", NULL, "foo = ", "ERR 112@6", NULL},
{"e21", NULL, "= foo", "ERR 118@0", "expected app name but found '='"},
{"e22", NULL, ":a > foo > :b | c", "ERR 100@14", "Found unexpected data after stream definition: '|'"},
{"e23", NULL, "a\r| b", "S a >test.a ; K b <test.a", NULL},
{"e24", NULL, ": > log", "ERR 171@2", "unexpected data in destination name '>'"},
{"e25", NULL, "a.b = c", "ERR 100@1", "Found unexpected data after stream definition: '.'"},
{"e27", NULL, "foo --x=\"a\"'b | bar", "S foo{x=\"a\"'b} >test.foo ; K bar <test.foo", NULL},
{"e28", NULL, "foo --x=a\"'b c\" | bar", "ERR 106@14", NULL},
{"e26", "f\xc3\xbcr", "a", "ERR 122@0", "illegal name for a stream 'f\xc3\xbcr'"},
};
/* clang-format on */

const size_t dsl_vector_count = PS_ARRAY_LEN(dsl_vectors);

#define BINDINGS "spring.cloud.stream.bindings."

static const char *value_of(const struct dsl_option *props, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (ps_streq(props[i].name, name))
            return props[i].value;
    return NULL;
}

static bool is_binding(const char *name)
{
    return ps_str_starts(ps_str(name), BINDINGS) && !ps_str_ends(ps_str(name), ".contentType");
}

static void describe_app(struct ps_buf *out, struct ps_arena *arena,
                         const struct dsl_stream *stream, size_t i)
{
    const struct dsl_app *app = &stream->apps[i];
    size_t count, shown = 0;
    const struct dsl_option *props = dsl_stream_properties(arena, stream, i, &count);
    const char *in = value_of(props, count, BINDINGS "input.destination");
    const char *to = value_of(props, count, BINDINGS "output.destination");
    const char *group = value_of(props, count, BINDINGS "input.group");

    ps_buf_char(out, "ASPK"[dsl_stream_app_type(stream, i)]);
    if (app->has_label)
        ps_buf_printf(out, " %s(%s)", app->label, app->name);
    else
        ps_buf_printf(out, " %s", app->name);
    for (size_t k = 0; k < count; k++)
        if (!is_binding(props[k].name))
            ps_buf_printf(out, "%c%s=%s", shown++ ? ',' : '{', props[k].name, props[k].value);
    ps_buf_str(out, shown ? "}" : "");
    if (in != NULL)
        ps_buf_printf(out, " <%s", in);
    if (to != NULL)
        ps_buf_printf(out, " >%s", to);
    if (group != NULL && !ps_streq(group, stream->name))
        ps_buf_printf(out, " g=%s", group);
}

const char *dsl_test_describe(struct ps_arena *arena, const struct dsl_stream *stream)
{
    PS_AUTO_BUF(out, 4 * DSL_TEXT_MAX);

    for (size_t i = 0; i < stream->app_count; i++) {
        ps_buf_str(&out, i > 0 ? " ; " : "");
        describe_app(&out, arena, stream, i);
    }
    ps_assert(!ps_buf_failed(&out));
    return ps_arena_str(arena, ps_buf_get(&out));
}
