export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  worker: {
    Tables: {
      [_ in never]: never;
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      claim_pipeline_run: {
        Args: { p_contract?: number; p_pipeline_run_id: string; p_trigger_run_id: string };
        Returns: Json;
      };
      contract: { Args: { p_contract?: number }; Returns: Json };
      end_step: {
        Args: {
          p_claim_id: string;
          p_columns?: Json;
          p_last_chunk?: Json;
          p_next_step_result_id?: string;
          p_step_result_id: string;
          p_timings?: Json;
          p_warnings?: Json;
        };
        Returns: Json;
      };
      fail_pipeline_run: { Args: { p_claim_id: string; p_error: Json; p_pipeline_run_id: string }; Returns: Json };
      fail_step: {
        Args: { p_claim_id: string; p_error: Json; p_step_result_id: string; p_timings?: Json };
        Returns: Json;
      };
      finish_pipeline_run: { Args: { p_claim_id: string; p_pipeline_run_id: string }; Returns: Json };
      finish_step: {
        Args: { p_claim_id: string; p_columns?: Json; p_step_result_id: string; p_timings?: Json; p_warnings?: Json };
        Returns: Json;
      };
      heartbeat: { Args: { p_claim_id: string; p_lease_seconds?: number; p_pipeline_run_id: string }; Returns: Json };
      mark_pipeline_run_dispatched: {
        Args: { p_pipeline_run_id: string; p_repair?: string; p_trigger_run_id: string };
        Returns: Json;
      };
      publish_steps: { Args: { p_steps: Json }; Returns: Json };
      read_chunk: { Args: { p_chunk_index: number; p_step_result_id: string }; Returns: Json };
      read_condition_input: { Args: { p_step_result_id: string }; Returns: Json };
      read_secret: { Args: { p_name: string; p_step_result_id: string }; Returns: Json };
      reconcile_pipeline_runs: { Args: { p_limit?: number }; Returns: Json };
      repair_pipeline_run: {
        Args: { p_finding: string; p_pipeline_run_id: string; p_trigger_run_id: string };
        Returns: Json;
      };
      replace_start: { Args: { p_idempotency_key: string; p_pipeline_run_id: string }; Returns: Json };
      skip_step: { Args: { p_claim_id: string; p_step_result_id: string }; Returns: Json };
      start_step: { Args: { p_claim_id: string; p_step_result_id: string }; Returns: Json };
      step_progress: { Args: { p_step_result_id: string }; Returns: Json };
      take_starts: { Args: { p_limit?: number }; Returns: Json };
      write_chunk: {
        Args: {
          p_chunk_index: number;
          p_claim_id: string;
          p_dropped?: Json;
          p_records: Json;
          p_rejected?: Json;
          p_step_result_id: string;
        };
        Returns: Json;
      };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      [_ in never]: never;
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "worker">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    keyof (DefaultSchema["Tables"] & DefaultSchema["Views"]) | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R;
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
        Row: infer R;
      }
      ? R
      : never
    : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I;
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Insert: infer I;
      }
      ? I
      : never
    : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends (DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never) = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U;
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Update: infer U;
      }
      ? U
      : never
    : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"] | { schema: keyof DatabaseWithoutInternals },
  EnumName extends (DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never) = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
    : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    keyof DefaultSchema["CompositeTypes"] | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends (PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never) = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
    : never;

export const Constants = {
  worker: {
    Enums: {},
  },
} as const;
