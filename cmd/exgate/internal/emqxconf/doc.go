// Package emqxconf converts EMQX configurations for ExProto to exgate: emqx_exproto.conf of EMQX 4.2 to 4.4, and
// gateway.exproto of 5.x.
//
// The settings' names, values and defaults are those of EMQX's public sources:
// apps/emqx_exproto/priv/emqx_exproto.schema of v4.3.0 and v4.4.19 and its forerunner in github.com/emqx/emqx-exproto
// for 4.2; apps/emqx_gateway_exproto/src/emqx_exproto_schema.erl, emqx_gateway_schema.erl and emqx_schema.erl of v5.0.0
// to v5.8.9. Where EMQX uses a setting differently from its name, its code decides.
//
// Each setting has a rule. What a rule cannot carry over, and settings without a rule, become a [Finding]; nothing is
// dropped silently. Findings never show values, because some are secret.
package emqxconf
