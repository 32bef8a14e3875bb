// Package emqxconf turns EMQX's configuration of ExProto into one of exgate: emqx_exproto.conf of EMQX 4.2 to 4.4, and
// gateway.exproto of 5.x.
//
// The settings' names, values and defaults are those of EMQX's public sources:
// apps/emqx_exproto/priv/emqx_exproto.schema of v4.3.0 and v4.4.19 and its forerunner in github.com/emqx/emqx-exproto
// for 4.2; apps/emqx_gateway_exproto/src/emqx_exproto_schema.erl, emqx_gateway_schema.erl and emqx_schema.erl of v5.0.0
// to v5.8.9. What EMQX did with a setting, where that differs from its name, was read in the code beside them.
//
// Each setting has a rule. What a rule cannot carry over, and what has no rule, becomes a [Finding]; nothing is dropped
// without one. Findings never show values: some are secret.
package emqxconf
